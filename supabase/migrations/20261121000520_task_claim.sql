-- Claiming tasks: delete runs from ready, put them into a lease.

create or replace function public.claim_tasks(
    p_worker_id text, p_types text[] default null, p_limit int default 1, p_lease_seconds int default 900,
    p_request_id text default null)
  returns table (
    id uuid, type text, payload jsonb, attempt int, max_attempts int, fence text, lease_expires_at timestamptz,
    lease_ms int)
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_fence bigint;
  v_lease dibs.lease;
begin
  if p_request_id is not null then v_fence := dibs.recall('claim_tasks', p_request_id) #>> '{}'; end if;
  if v_fence is null then
    v_lease := dibs.lease_tasks(p_worker_id, p_types, p_limit, p_lease_seconds);
    if v_lease.fence is null then return; end if;
    if p_request_id is not null then perform dibs.remember('claim_tasks', p_request_id, to_jsonb(v_lease.fence)); end if;
  else
    select * into v_lease from dibs.lease l where l.fence = v_fence;
  end if;
  return query
    select t.*, v_lease.fence::text, v_lease.expires_at, dibs.ms_until(v_lease.expires_at)
    from dibs.held_tasks(v_lease) t;
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
  returns dibs.lease
  language plpgsql set search_path = '' as $$
declare
  v_taken record;
  v_lease dibs.lease;
begin
  if p_limit between 1 and 1000 and p_lease_seconds between 1 and 86400 and p_worker_id ~ '^[\w.:@/-]{1,200}$' then
    if cardinality(p_types) > 1 then
      v_lease := null;
    else
      v_lease := dibs.lease_at_hint(p_worker_id, coalesce(p_types[1], ''), p_limit, p_lease_seconds);
      if v_lease.fence is not null then return v_lease; end if;
    end if;
  else
    perform dibs.check_label('p_worker_id', p_worker_id, 200),
      dibs.check_between('p_limit', p_limit, 1, 1000),
      dibs.check_between('p_lease_seconds', p_lease_seconds, 1, 86400);
  end if;

  v_taken := dibs.take_tasks(p_types, p_limit, false);
  if v_taken.tasks is null then
    -- Empty is only said after a look at everything: what leases lost, and what lies behind the hints.
    perform dibs.reap_leases();
    for v_look in 1..4 loop
      v_taken := dibs.take_tasks(p_types, p_limit, true);
      exit when v_taken.tasks is not null or v_look = 4 or not exists (select from dibs.due_lanes(p_types));
      -- What is due is for a moment in the hands of other claims, which may leave a rest of it.
      perform pg_sleep(0.001);
    end loop;
    if v_taken.tasks is null then return null; end if;
  end if;
  insert into dibs.lease (started_at, expires_at, held, plain, worker_id)
    values (v_taken.at, v_taken.at + p_lease_seconds * interval '1 s',
      case when v_taken.plain then v_taken.tasks else dibs.single_out_suspect(v_taken.tasks) end, v_taken.plain,
      p_worker_id)
    returning * into v_lease;
  return v_lease;
end $$;
comment on function dibs.lease_tasks(text, text[], int, int) is
  'Lease up to p_limit due tasks. Returns the lease, or null when nothing was to be had.';

create or replace function dibs.lease_at_hint(p_worker_id text, p_type text, p_limit int, p_lease_seconds int)
  returns dibs.lease
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_lease dibs.lease;
begin
  with lane as materialized (
    select l.* from dibs.hinted_lane l,
      lateral (
        (select from dibs.ready r
          where p_type = '' and r.priority = l.priority and r.run_at <= v_now
            and (r.run_at, lower(r.run)) >= (l.begin_run_at, l.begin_task) limit 1)
        union all
        (select from dibs.ready r
          where p_type <> '' and r.type = p_type and r.priority = l.priority and r.run_at <= v_now
            and (r.run_at, lower(r.run)) >= (l.begin_run_at, l.begin_task) limit 1)
      ) due
    where l.type = p_type order by l.priority limit 1
  ), locked as materialized (
    select r.* from lane l,
      lateral (
        select * from (
          select r.ctid as at, r.run, r.plain from dibs.ready r
          where p_type = '' and r.priority = l.priority and r.run_at <= v_now
            and (r.run_at, lower(r.run)) >= (l.begin_run_at, l.begin_task)
          order by r.run_at, lower(r.run) limit ceil(p_limit / l.run_length)::int for update skip locked) of_any_type
        union all
        select * from (
          select r.ctid as at, r.run, r.plain from dibs.ready r
          where p_type <> '' and r.type = p_type and r.priority = l.priority and r.run_at <= v_now
            and (r.run_at, lower(r.run)) >= (l.begin_run_at, l.begin_task)
          order by r.run_at, lower(r.run) limit ceil(p_limit / l.run_length)::int for update skip locked) of_the_type
      ) r
    where l.made_at > v_now - interval '100 ms' and l.sweep_at > v_now
  ), taken as materialized (
    select array_agg(at) as at, range_agg(run) as tasks from locked
    having sum(upper(run) - lower(run)) = p_limit and bool_and(plain)
  ), deleted as (
    delete from dibs.ready where ctid = any ((select at from taken)::tid[])
  )
  insert into dibs.lease (started_at, expires_at, held, plain, worker_id)
    select v_now, v_now + p_lease_seconds * interval '1 s', tasks, true, p_worker_id from taken
    returning * into v_lease;
  return v_lease;
end $$;
comment on function dibs.lease_at_hint(text, text, int, int) is
  'The usual claim, in one statement: the runs at the hint of the first lane that has any are exactly as many tasks
as are wanted. Otherwise null, and nothing was done.';

create or replace function dibs.single_out_suspect(p_held int8multirange) returns int8multirange
  language plpgsql set search_path = '' as $$
declare
  v_suspect bigint := (select min(task) from dibs.histories_of(p_held) where losses > 1);
begin
  if v_suspect is null then return p_held; end if;
  perform dibs.make_ready(p_held - int8range(v_suspect, v_suspect + 1)::int8multirange);
  return int8range(v_suspect, v_suspect + 1)::int8multirange;
end $$;
comment on function dibs.single_out_suspect(int8multirange) is
  'A task that lost its worker twice may be what kills workers. It is leased alone, so that only itself is lost
with the next one; the others taken with it go back. Returns what is to be leased.';

-- Taking runs --------------------------------------------------------------------------------------

create or replace function dibs.take_tasks(
    p_types text[], p_limit int, p_from_start boolean, out tasks int8multirange, out plain boolean,
    out at timestamptz)
  language plpgsql set search_path = '' as $$
declare
  v_wanted int := p_limit;
  v_lanes refcursor;
  v_lane dibs.hinted_lane;
  v_began timestamptz;
  v_sweep boolean;
  v_round record;
  v_seen_run_at timestamptz;
  v_seen_task bigint;
begin
  at := dibs.clock();
  if cardinality(p_types) > 1 then
    open v_lanes for select * from dibs.due_lanes(p_types);
  else
    open v_lanes for select * from dibs.hinted_lane l
      where l.type = case when p_types is null then '' else nullif(p_types[1], '') end order by l.priority;
  end if;
  loop
    fetch v_lanes into v_lane;
    exit when not found;
    -- One claim sweeps; the others meanwhile go by the hint.
    v_sweep := case when p_from_start then v_lane.sweep_if_empty_at <= at
      when v_lane.sweep_at <= at
        then pg_try_advisory_xact_lock(hashtext('dibs.sweep:' || v_lane.type), v_lane.priority)
      else false end;
    if v_sweep then
      v_began := at;
      perform dibs.reap_leases();
      v_lane.begin_run_at := '-infinity';
      at := dibs.clock();  -- what came back is due now
    end if;
    v_seen_run_at := null;
    v_seen_task := null;
    loop  -- once mostly: more often when the runs turn out shorter than the hint said
      v_round := dibs.take_runs(v_lane.type, v_lane.priority, v_lane.begin_run_at, v_lane.begin_task, at,
        v_wanted, ceil(v_wanted / v_lane.run_length)::int, p_limit);
      exit when v_round.tasks is null;
      v_seen_run_at := coalesce(v_seen_run_at, v_round.run_at);
      v_seen_task := coalesce(v_seen_task, v_round.task);
      tasks := coalesce(tasks + v_round.tasks, v_round.tasks);
      plain := coalesce(plain, true) and v_round.plain;
      v_lane.run_length := v_round.run_length;
      v_wanted := v_wanted - v_round.count;
      exit when v_wanted = 0;
    end loop;
    -- Ten hints a second are enough, the first one from a sweep.
    if v_sweep or v_lane.made_at > '-infinity' and v_lane.made_at < at - interval '100 ms' then
      perform dibs.make_hint(v_lane, case when v_sweep then v_began end, v_seen_run_at, v_seen_task);
    end if;
    exit when v_wanted = 0;
  end loop;
  close v_lanes;
end $$;
comment on function dibs.take_tasks(text[], int, boolean) is
  'Take up to p_limit due tasks out of ready, lane by lane: by priority, and for several types by the age of what
is first. p_from_start: trust no hint. Returns them, null when there are none to be had, and the moment.';

create or replace function dibs.due_lanes(p_types text[]) returns setof dibs.hinted_lane
  language plpgsql stable set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
begin
  return query
  select l.* from dibs.hinted_lane l,
  lateral (select case when l.sweep_if_empty_at <= v_now then '-infinity' else l.begin_run_at end as run_at) begin,
  lateral (
    (select r.run_at from dibs.ready r
      where l.type = '' and r.priority = l.priority and r.run_at <= v_now
        and (r.run_at, lower(r.run)) >= (begin.run_at, l.begin_task)
      order by r.run_at, lower(r.run) limit 1)
    union all
    (select r.run_at from dibs.ready r
      where l.type <> '' and r.type = l.type and r.priority = l.priority and r.run_at <= v_now
        and (r.run_at, lower(r.run)) >= (begin.run_at, l.begin_task)
      order by r.run_at, lower(r.run) limit 1)
  ) head
  where l.type = any (coalesce(array_remove(p_types, ''), array['']))
  order by l.priority, head.run_at, l.type;
end $$;
comment on function dibs.due_lanes(text[]) is
  'The lanes that have due work, in the order to take from them: by priority, then by the age of what is first.
No types: the lanes of all types together, as many as there are priorities.';

create or replace function dibs.take_runs(
    p_type text, p_priority smallint, p_begin_run_at timestamptz, p_begin_task bigint, p_until timestamptz,
    p_wanted int, p_runs int, p_piece int,
    out tasks int8multirange, out plain boolean, out count int, out run_at timestamptz, out task bigint,
    out run_length real)
  language plpgsql set search_path = '' as $$
declare
  v_at tid[];
  v_run int8range[];
  v_last int8range;
begin
  -- Rows of ready are never updated: a row locked here is the very row the delete by ctid removes.
  if p_type = '' then
    select range_agg(l.run), bool_and(l.plain), sum(upper(l.run) - lower(l.run)), min(l.run_at), array_agg(l.ctid),
        array_agg(l.run) into tasks, plain, count, run_at, v_at, v_run
      from (
        select r.ctid, r.run_at, r.run, r.plain from dibs.ready r
        where r.priority = p_priority and r.run_at <= p_until
          and (r.run_at, lower(r.run)) >= (p_begin_run_at, p_begin_task)
        order by r.run_at, lower(r.run) limit p_runs for update skip locked
      ) l;
  else
    select range_agg(l.run), bool_and(l.plain), sum(upper(l.run) - lower(l.run)), min(l.run_at), array_agg(l.ctid),
        array_agg(l.run) into tasks, plain, count, run_at, v_at, v_run
      from (
        select r.ctid, r.run_at, r.run, r.plain from dibs.ready r
        where r.type = p_type and r.priority = p_priority and r.run_at <= p_until
          and (r.run_at, lower(r.run)) >= (p_begin_run_at, p_begin_task)
        order by r.run_at, lower(r.run) limit p_runs for update skip locked
      ) l;
  end if;
  if tasks is null then return; end if;
  task := lower(v_run[1]);
  run_length := count / cardinality(v_run)::real;

  -- Too many: the last runs stay, and what is then the last one gets cut.
  while count > p_wanted loop
    v_last := v_run[cardinality(v_run)];
    v_last := v_last * int8range(upper(v_last) - (count - p_wanted), null);
    tasks := tasks - v_last::int8multirange;
    count := count - (upper(v_last) - lower(v_last));
    if v_last = v_run[cardinality(v_run)] then
      v_run := trim_array(v_run, 1);
      v_at := trim_array(v_at, 1);
    else
      -- The rest goes back in pieces of the size in demand: whoever comes next need not cut, and finds one.
      insert into dibs.ready (type, priority, run_at, run, plain)
        select r.type, r.priority, r.run_at, int8range(first, least(first + p_piece, upper(v_last))), r.plain
        from dibs.ready r, generate_series(lower(v_last), upper(v_last) - 1, p_piece) first
        where r.ctid = v_at[cardinality(v_at)];
    end if;
  end loop;
  delete from dibs.ready where ctid = any (v_at);
end $$;
comment on function dibs.take_runs(text, smallint, timestamptz, bigint, timestamptz, int, int, int) is
  'Take tasks from one lane: of the first p_runs runs nobody else has locked, as many as are wanted. p_piece: in
what pieces the rest of a run goes back.
Returns what was taken, where the first of it began, and how long the runs were.';

create or replace function dibs.make_hint(
    p_lane dibs.hinted_lane, p_swept_from timestamptz, p_seen_run_at timestamptz, p_seen_task bigint) returns void
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_took interval := v_now - p_swept_from;
  -- Where work was seen becomes the beginning only 100 ms later: a slower claim may still put a rest before it.
  v_proven boolean := p_lane.made_at < v_now - interval '100 ms';
begin
  insert into dibs.hint values (p_lane.type, p_lane.priority, v_now,
    case when v_proven then p_lane.seen_run_at else p_lane.begin_run_at end,
    case when v_proven then p_lane.seen_task else p_lane.begin_task end,
    coalesce(p_seen_run_at, p_lane.seen_run_at), coalesce(p_seen_task, p_lane.seen_task), p_lane.run_length,
    -- While an old snapshot is held a sweep gets slow; it then comes so seldom that it takes a twentieth of the time.
    coalesce(v_now + greatest(v_took * 20, interval '1 s'), p_lane.sweep_at),
    coalesce(v_now + greatest(v_took - interval '100 ms', interval '0') * 20, p_lane.sweep_if_empty_at));
  -- Now and then, those that no claim reads any more.
  if v_took is not null and random() < 0.02 then
    delete from dibs.hint where ctid = any (array(
      select ctid from dibs.hint
      where type = p_lane.type and priority = p_lane.priority and made_at < v_now - interval '10 s'
      for update skip locked));
  end if;
end $$;
comment on function dibs.make_hint(dibs.hinted_lane, timestamptz, timestamptz, bigint) is
  'Note where the work of a lane begins, for the claims to come. Claims that run at once may each make one; that is
harmless.';

-- What a worker gets -------------------------------------------------------------------------------

create or replace function dibs.held_tasks(p_lease dibs.lease)
  returns table (id uuid, type text, payload jsonb, attempt int, max_attempts int)
  -- A hash join of what is at hand anyway: no table is in it whose statistics could mislead.
  language plpgsql stable set search_path = '' set enable_hashjoin = on as $$
begin
  if p_lease.plain then
    return query
      select t.id, t.type, t.payload, 1, t.max_attempts::int
      from dibs.log_of(p_lease.held) t order by t.priority, t.run_at, t.id;
  else
    return query
      select t.id, t.type, t.payload, 1 + coalesce(h.failures + h.losses, 0), t.max_attempts::int
      from dibs.log_of(p_lease.held) t left join dibs.histories_of(p_lease.held) h on h.task = dibs.task_of(t.id)
      order by t.priority, t.run_at, t.id;
  end if;
end $$;
comment on function dibs.held_tasks(dibs.lease) is 'The tasks of a lease as its worker gets them.';

create or replace function dibs.held_tasks_json(p_lease dibs.lease) returns json
  language plpgsql stable set search_path = '' as $$
declare
  v_tasks text;
begin
  -- Put together as text: a hundred objects built as json cost as much as claiming them.
  if p_lease.plain then
    select string_agg(format('{"id":"%s","type":%s,"payload":%s,"attempt":1,"max_attempts":%s}',
        t.id, to_json(t.type), t.payload, t.max_attempts), ',' order by t.priority, t.run_at, t.id)
      into v_tasks from unnest(p_lease.held) r,
      lateral (
        select * from dibs.log l
        where l.id >= encode(int8send(lower(r) << 16) || int8send(0), 'hex')::uuid
          and l.id < encode(int8send(upper(r) << 16) || int8send(0), 'hex')::uuid
        offset 0
      ) t;
  else
    select string_agg(format('{"id":"%s","type":%s,"payload":%s,"attempt":%s,"max_attempts":%s}',
        t.id, to_json(t.type), t.payload, t.attempt, t.max_attempts), ',')
      into v_tasks from dibs.held_tasks(p_lease) t;
  end if;
  return format('[%s]', v_tasks);
end $$;
comment on function dibs.held_tasks_json(dibs.lease) is
  'The tasks of a lease as its worker gets them: [{id, type, payload, attempt, max_attempts}].';

create or replace function dibs.histories_of(p_tasks int8multirange)
  returns table (task bigint, last int, failures int, losses int)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select a.task, max(a.n)::int, count(*) filter (where a.outcome = 'failed' and a.n > a.counted_from)::int,
      count(*) filter (where a.outcome = 'lost' and a.n > a.counted_from)::int
    from (
      select a.*, coalesce(max(a.n) filter (where a.outcome = 'retried') over (partition by a.task), 0) as counted_from
      from unnest(p_tasks) r,
        lateral (
          select a.task, a.n, a.outcome from dibs.attempt a where a.task >= lower(r) and a.task < upper(r) offset 0
        ) a
    ) a
    group by a.task;
end $$;
comment on function dibs.histories_of(int8multirange) is
  'For those of these tasks that have a history: the number of the last noted attempt, and how many failed and were
lost since somebody last asked to try it again.';

create or replace function dibs.history_of(p_task bigint, out last int, out failures int, out losses int)
  language plpgsql stable set search_path = '' as $$
begin
  select coalesce(max(h.last), 0), coalesce(max(h.failures), 0), coalesce(max(h.losses), 0)
    into last, failures, losses from dibs.histories_of(int8range(p_task, p_task + 1)::int8multirange) h;
end $$;
comment on function dibs.history_of(bigint) is 'The history of one task; zeros when it has none.';

select dibs.seal();
