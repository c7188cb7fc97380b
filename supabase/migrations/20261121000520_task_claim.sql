-- Claiming tasks: delete runs from ready, put them into a lease.

create or replace function public.claim_tasks(
    p_worker_id text, p_types text[] default null, p_limit int default 1, p_lease_seconds int default 900,
    p_request_id text default null)
  returns table (
    id uuid, type text, payload jsonb, attempt int, max_attempts int, fence text, lease_expires_at timestamptz,
    lease_ms int)
  language plpgsql set search_path = '' as $$
declare
  v_fence bigint := dibs.recall('claim_tasks', p_request_id) #>> '{}';
begin
  if v_fence is null then
    v_fence := dibs.lease_tasks(p_worker_id, p_types, p_limit, p_lease_seconds);
    if v_fence is null then return; end if;
    perform dibs.remember('claim_tasks', p_request_id, to_jsonb(v_fence));
  end if;
  return query select * from dibs.held_tasks(v_fence);
end $$;
comment on function public.claim_tasks(text, text[], int, int, text) is
  'Claim the next due tasks: nobody else gets them until the lease ends.
p_worker_id: a label for people. p_types: which types, null for all. p_limit: at most so many, 1 to 1000.
p_lease_seconds: 1 to 86400; renew_lease prolongs it. p_request_id: a repeat of the same request is answered
with what is still held of the same grant.
Returns the tasks, all with the fence of this grant, by priority and age. No rows: nothing is due, or others
are claiming it this moment; ask again.
Never waits for another claimer. Errors: PT400 for bad input.';

-- Leasing ------------------------------------------------------------------------------------------

create or replace function dibs.lease_tasks(p_worker_id text, p_types text[], p_limit int, p_lease_seconds int)
  returns bigint
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_held int8multirange := '{}';
  v_now timestamptz;
  v_fence bigint;
begin
  perform dibs.check_label('p_worker_id', p_worker_id, 200),
    dibs.check_between('p_limit', p_limit, 1, 1000),
    dibs.check_between('p_lease_seconds', p_lease_seconds, 1, 86400);
  v_held := dibs.take_tasks(p_types, p_limit, false);
  if isempty(v_held) then
    -- Empty is only said after a look at everything: what leases lost, and what lies behind the hints.
    perform dibs.reap_leases();
    v_held := dibs.take_tasks(p_types, p_limit, true);
    -- Work that is due may be for a moment in the hands of other claims, which leave a rest of it.
    for v_try in 1..3 loop
      exit when not isempty(v_held) or not exists (select from dibs.due_lanes(p_types, dibs.clock(), true));
      perform pg_sleep(0.001);
      v_held := dibs.take_tasks(p_types, p_limit, true);
    end loop;
  end if;
  if isempty(v_held) then return null; end if;
  v_held := dibs.single_out_suspect(v_held);
  v_now := dibs.clock();
  insert into dibs.lease (started_at, expires_at, held, worker_id)
    values (v_now, v_now + p_lease_seconds * interval '1 s', v_held, p_worker_id) returning fence into v_fence;
  return v_fence;
end $$;
comment on function dibs.lease_tasks(text, text[], int, int) is
  'Lease up to p_limit due tasks. Returns the fence, or null when nothing was to be had.';

create or replace function dibs.single_out_suspect(p_held int8multirange) returns int8multirange
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_suspect bigint;
begin
  select lost.task into v_suspect
    from unnest(p_held) r,
      lateral (
        select a.task from dibs.attempt a
        where a.task >= lower(r) and a.task < upper(r) and a.outcome = 'lost'
        group by a.task having count(*) > 1 order by a.task offset 0) lost
    where (dibs.history_of(lost.task)).losses > 1
    limit 1;
  if v_suspect is null then return p_held; end if;
  perform dibs.make_ready(p_held - int8range(v_suspect, v_suspect + 1)::int8multirange);
  return int8range(v_suspect, v_suspect + 1)::int8multirange;
end $$;
comment on function dibs.single_out_suspect(int8multirange) is
  'A task that lost its worker twice may be what kills workers. It is leased alone, so that only itself is lost
with the next one; the others taken with it go back. Returns what is to be leased.';

create or replace function dibs.held_tasks(p_fence bigint)
  returns table (
    id uuid, type text, payload jsonb, attempt int, max_attempts int, fence text, lease_expires_at timestamptz,
    lease_ms int)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_lease dibs.lease;
  v_lease_ms int;
  v_tried boolean;
begin
  select * into v_lease from dibs.lease l where l.fence = p_fence;
  if not found then return; end if;
  v_lease_ms := dibs.ms_until(v_lease.expires_at);
  v_tried := exists (
    select from unnest(v_lease.held) r,
      lateral (select from dibs.attempt a where a.task >= lower(r) and a.task < upper(r) limit 1) a);
  return query
    select t.id, t.type, t.payload,
      1 + case when v_tried then (select h.failures + h.losses from dibs.history_of(dibs.task_of(t.id)) h) else 0 end,
      t.max_attempts::int, p_fence::text, v_lease.expires_at, v_lease_ms
    from unnest(v_lease.held) r,
      -- offset 0: from the run to the log's key, whatever the statistics say.
      lateral (select * from dibs.log l where l.id >= dibs.id_of(lower(r)) and l.id < dibs.id_of(upper(r)) offset 0) t
    order by t.priority, t.run_at, t.id;
end $$;
comment on function dibs.held_tasks(bigint) is 'The tasks a lease holds, ready to be handed to its worker.';

create or replace function dibs.history_of(p_task bigint, out last int, out failures int, out losses int)
  language plpgsql stable set search_path = '' as $$
begin
  select coalesce(max(a.n), 0),
      count(*) filter (where a.outcome = 'failed' and a.n > a.counted_from),
      count(*) filter (where a.outcome = 'lost' and a.n > a.counted_from)
    into last, failures, losses
    from (
      select n, outcome, coalesce(max(n) filter (where outcome = 'retried') over (), 0) as counted_from
      from dibs.attempt where task = p_task
    ) a;
end $$;
comment on function dibs.history_of(bigint) is
  'The number of a task''s last noted attempt, and how many failed and were lost since somebody last asked to try
it again.';

-- Taking runs --------------------------------------------------------------------------------------

create or replace function dibs.due_lanes(p_types text[], p_now timestamptz, p_from_start boolean)
  returns table (type text, priority smallint, hint dibs.hint, sweep boolean)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
  return query
  select l.type, l.priority, h.hint, s.sweep
  from dibs.lane l
  left join lateral (
    select h as hint from dibs.hint h where h.type = l.type and h.priority = l.priority order by h.made_at desc limit 1
  ) h on true,
  -- While an old snapshot is held a sweep gets slow; it then comes so seldom that it takes a twentieth of the time.
  lateral (
    select h.hint is null or (h.hint).swept_at + case
      when p_from_start then greatest((h.hint).sweep_took - interval '100 ms', interval '0') * 20
      else greatest((h.hint).sweep_took * 20, interval '1 s') end <= p_now as sweep
  ) s,
  lateral (
    select r.run_at from dibs.ready r
    where r.type = l.type and r.priority = l.priority and r.run_at <= p_now
      and (r.run_at, lower(r.run)) >= (case when s.sweep then '-infinity' else (h.hint).begin_run_at end,
        case when s.sweep then 0 else (h.hint).begin_task end)
    order by r.run_at, lower(r.run) limit 1
  ) head
  where p_types is null or l.type = any (p_types)
  order by l.priority, head.run_at, l.type;
end $$;
comment on function dibs.due_lanes(text[], timestamptz, boolean) is
  'The lanes that have due work, in the order to take from them: by priority, then by the age of what is first.
Each with its newest hint, and whether it is time for a sweep from its start (once a second, or p_from_start
unless that is slow), since work that was committed late lies before the hint.';

do $$
begin
  if to_regtype('dibs.taken') is null then
    create type dibs.taken as (tasks int8multirange, count int, runs int, run_at timestamptz, task bigint);
  end if;
end $$;

create or replace function dibs.take_tasks(p_types text[], p_limit int, p_from_start boolean) returns int8multirange
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_now timestamptz := dibs.clock();
  v_held int8multirange := '{}';
  v_lane record;
  v_begin dibs.hint;
  v_first dibs.taken;
  v_round dibs.taken;
  v_runs int;
begin
  for v_lane in select * from dibs.due_lanes(p_types, v_now, p_from_start) loop
    -- One claim sweeps; the others meanwhile go by the hint.
    if v_lane.sweep and not p_from_start then
      v_lane.sweep := pg_try_advisory_xact_lock(hashtext('dibs.sweep:' || v_lane.type), v_lane.priority);
      if v_lane.sweep then perform dibs.reap_leases(); end if;
    end if;
    v_now := dibs.clock();  -- what was reaped is due now; and the sweep's own time is to be known
    v_begin := case when not v_lane.sweep then v_lane.hint end;
    v_first := null;
    v_runs := ceil(p_limit / coalesce((v_lane.hint).run_length, 100));
    loop  -- once mostly: more often when the runs turn out shorter than the hint said
      v_round := dibs.take_runs(v_lane.type, v_lane.priority, coalesce(v_begin.begin_run_at, '-infinity'),
        coalesce(v_begin.begin_task, 0), v_now, p_limit, v_runs);
      exit when v_round.runs = 0;
      if v_first is null then v_first := v_round; end if;
      v_held := v_held + v_round.tasks;
      p_limit := p_limit - v_round.count;
      exit when p_limit = 0;
      v_runs := ceil(p_limit * v_round.runs / v_round.count::real);
    end loop;
    perform dibs.make_hint(v_lane.type, v_lane.priority, v_lane.hint, v_lane.sweep, v_now, v_first);
    exit when p_limit = 0;
  end loop;
  return v_held;
end $$;
comment on function dibs.take_tasks(text[], int, boolean) is
  'Take up to p_limit due tasks out of ready. p_from_start: trust no hint.';

create or replace function dibs.take_runs(
    p_type text, p_priority smallint, p_begin_run_at timestamptz, p_begin_task bigint, p_until timestamptz,
    p_want int, p_runs int)
  returns dibs.taken
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_taken dibs.taken;
begin
  -- Rows of ready are never updated: a row locked here is the very row the delete by ctid removes.
  with locked as materialized (
    select r.ctid as at, r.run_at, r.run, (upper(r.run) - lower(r.run))::int as length
    from dibs.ready r
    where r.type = p_type and r.priority = p_priority and r.run_at <= p_until
      and (r.run_at, lower(r.run)) >= (p_begin_run_at, p_begin_task)
    order by r.run_at, lower(r.run) limit p_runs
    for update skip locked
  ), summed as (
    select *, sum(length) over (order by l.run_at, lower(l.run)) as upto from locked l
  ), cut as materialized (
    select *, upper(s.run) - greatest(upto - p_want, 0) as upper_taken from summed s where upto - length < p_want
  ), deleted as (
    delete from dibs.ready where ctid = any (array(select at from cut))
  ), put_back as (
    insert into dibs.ready (type, priority, run_at, run)
    select p_type, p_priority, c.run_at, int8range(upper_taken, upper(c.run))
    from cut c where upper_taken < upper(c.run)
  )
  select range_agg(int8range(lower(c.run), upper_taken)), sum(upper_taken - lower(c.run)), count(*), min(c.run_at),
    min(lower(c.run))
    into v_taken from cut c;
  return v_taken;
end $$;
comment on function dibs.take_runs(text, smallint, timestamptz, bigint, timestamptz, int, int) is
  'Take tasks from one lane: of the first p_runs runs nobody else has locked, as many as are wanted; the rest of
the last one goes back.
Returns what was taken, from how many runs, and where the first of them began.';

create or replace function dibs.make_hint(
    p_type text, p_priority smallint, p_last dibs.hint, p_sweep boolean, p_now timestamptz, p_seen dibs.taken)
  returns void
  language plpgsql set search_path = '' as $$
begin
  -- Ten a second are enough, the first one from a sweep. Claims that run at once may each make one; that is harmless.
  if not p_sweep and coalesce(p_last.made_at > p_now - interval '100 ms', true) then return; end if;
  -- Where work was seen becomes the beginning only with the next hint: a slower claim may still put a rest before it.
  insert into dibs.hint values (p_type, p_priority, p_now,
    coalesce(p_last.seen_run_at, '-infinity'), coalesce(p_last.seen_task, 0),
    coalesce(p_seen.run_at, p_last.seen_run_at, '-infinity'), coalesce(p_seen.task, p_last.seen_task, 0),
    coalesce(p_seen.count / nullif(p_seen.runs, 0)::real, p_last.run_length, 100),
    case when p_sweep then p_now else p_last.swept_at end,
    case when p_sweep then dibs.clock() - p_now else p_last.sweep_took end);
  -- Now and then, those that no claim reads any more.
  if p_sweep and random() < 0.02 then
    delete from dibs.hint where ctid = any (array(
      select ctid from dibs.hint where type = p_type and priority = p_priority and made_at < p_now - interval '10 s'
      for update skip locked));
  end if;
end $$;
comment on function dibs.make_hint(text, smallint, dibs.hint, boolean, timestamptz, dibs.taken) is
  'Note where the work of a lane begins, for the claims to come.';

select dibs.seal();
