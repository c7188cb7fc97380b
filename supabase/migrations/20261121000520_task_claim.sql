-- Claiming tasks: delete runs from ready, put them into a lease.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

-- Functions before dependencies returned one column less.
do $$
begin
  if pg_get_function_result(to_regprocedure('public.claim_tasks(text, text[], int, int, text)')) !~ 'dependencies' then
    drop function public.claim_tasks(text, text[], int, int, text);
    drop function dibs.held_tasks(dibs.lease);
  end if;
end $$;

create or replace function public.claim_tasks(
    p_worker_id text, p_types text[] default null, p_limit int default 1, p_lease_seconds int default 900,
    p_request_id text default null)
  returns table (
    id uuid, type text, payload jsonb, attempt int, max_attempts int, dependencies jsonb, fence text,
    lease_expires_at timestamptz, lease_ms int)
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
    if p_request_id is not null then
      perform dibs.remember('claim_tasks', p_request_id, to_jsonb(v_lease.fence));
    end if;
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
Returns the tasks, all with the fence of this grant, by priority and age; dependencies is [{id, status, result}] of
what a task waited for, null for others. No rows: nothing is due, or others
are claiming it this moment; ask again.
Never waits for another claimer. Errors: PT400 for bad input.';

-- Leasing ------------------------------------------------------------------------------------------

create or replace function dibs.lease_tasks(p_worker_id text, p_types text[], p_limit int, p_lease_seconds int)
  returns dibs.lease
  language plpgsql set search_path = '' as $$
declare
  v_types text[] := coalesce(array_remove(p_types, ''), array['']);
  v_taken record;
  v_more record;
  v_passed int8multirange;
  v_told boolean := false;
  v_gated boolean;
  v_lease dibs.lease;
begin
  if (p_limit between 1 and 1000 and p_lease_seconds between 1 and 86400 and p_worker_id ~ '^[\w.:@/-]{1,200}$')
    is not true then
    perform dibs.check_label('p_worker_id', p_worker_id, 200),
      dibs.check_between('p_limit', p_limit, 1, 1000),
      dibs.check_between('p_lease_seconds', p_lease_seconds, 1, 86400);
  end if;
  loop
    v_taken := dibs.take_first_run(case when cardinality(v_types) = 1 then v_types[1] end, p_limit);
    v_passed := '{}';
    if v_taken.count is distinct from p_limit then
      v_more := dibs.take_tasks(v_types, p_limit - coalesce(v_taken.count, 0), p_limit);
      v_passed := v_more.passed;
      if v_taken.tasks is null then
        v_taken := v_more;
      elsif v_more.tasks is not null then
        v_taken.tasks := v_taken.tasks + v_more.tasks;
        v_taken.plain := v_taken.plain and v_more.plain;
        v_taken.of_type := case when v_more.of_type = v_taken.of_type then v_taken.of_type else '' end;
      end if;
    end if;
    if v_taken.tasks is null then
      if v_told or not exists (select from dibs.untold) then return null; end if;
      perform dibs.tell_late();
      v_told := true;
      continue;
    end if;
    if not v_taken.plain then v_taken.tasks := dibs.single_out_suspects(v_taken.tasks); end if;
    -- The clock is read when all is taken: no lease begins before the one it follows has ended, and none is short.
    v_lease.started_at := dibs.clock();
    v_lease.expires_at := v_lease.started_at + p_lease_seconds * interval '1 s';
    v_lease.held := v_taken.tasks;
    v_lease.plain := v_taken.plain;
    v_lease.worker_id := p_worker_id;
    v_lease.type := v_taken.of_type;
    insert into dibs.lease (started_at, expires_at, held, plain, worker_id, type)
      values (v_lease.started_at, v_lease.expires_at, v_lease.held, v_lease.plain, p_worker_id, v_lease.type)
      -- Whoever sets a gate keeps leases from being written. So this statement, which looks only once it may write,
      -- sees every gate that was committed. Those of keys are nothing to plain tasks, which have none.
      returning fence, exists (select from dibs.gate where scope in ('everything', 'type') or not v_lease.plain)
        into v_lease.fence, v_gated;
    if v_passed <> '{}' then perform dibs.occupy(v_more.slots, v_more.slot_tasks, v_lease.fence); end if;
    if v_lease.held <> v_passed and (v_gated or not v_lease.plain and exists (select from dibs.task_key)
      or current_setting('transaction_isolation') <> 'read committed') then
      v_lease := dibs.hold_back(v_lease, v_passed);
    end if;
    exit when not isempty(v_lease.held);
  end loop;
  return v_lease;
end $$;
comment on function dibs.lease_tasks(text, text[], int, int) is
  'Lease up to p_limit due tasks. Returns the lease, or null when nothing was to be had.';

create or replace function dibs.single_out_suspects(p_held int8multirange) returns int8multirange
  language plpgsql set search_path = '' as $$
declare
  v_suspects int8multirange;
begin
  -- Mostly nothing of this was ever lost, and that is told sooner than all there is to tell of it.
  if exists (
    select from (
        select min(lower(r)) as first, max(upper(r)) as past from unnest(p_held) r group by lower(r) >> 7
      ) page,
      lateral (
        select task from dibs.attempt
        where task >= page.first and task < page.past and outcome = 'lost' and task <@ p_held offset 0
      ) lost) then
    select range_agg(int8range(task, task + 1)) into v_suspects
    from (
      select task, losses, first_value(losses) over (order by task) as losses_of_first,
        row_number() over (partition by losses order by task) as nth
      from dibs.histories_of(p_held) where losses > 1
    ) suspect
    where losses = losses_of_first and nth <= case losses when 2 then 16 when 3 then 4 else 1 end;
  end if;
  if v_suspects is null then return p_held; end if;
  perform dibs.make_ready(p_held - v_suspects);
  return v_suspects;
end $$;
comment on function dibs.single_out_suspects(int8multirange) is
  'A task that lost its worker twice may be what kills workers. It is leased with none but such, 16 of them at most,
after another loss 4, then alone: so it takes ever fewer along, and when a server has stopped and taken many
workers with it, all is soon in other hands. What was taken with them goes back. Returns what is to be leased.';

-- What a worker gets -------------------------------------------------------------------------------

create or replace function dibs.held_tasks(p_lease dibs.lease)
  returns table (id uuid, type text, payload jsonb, attempt int, max_attempts int, dependencies jsonb)
  -- A hash join of what is at hand anyway: no table is in it whose statistics could mislead.
  language plpgsql stable set search_path = '' set enable_hashjoin = on as $$
begin
  if p_lease.plain then
    return query
      select t.id, t.type, t.payload, 1, t.max_attempts::int, null::jsonb
      from dibs.log_of(p_lease.held) t order by t.priority, t.run_at, t.id;
  else
    return query
      select t.id, t.type, t.payload, 1 + coalesce(h.failures + h.losses, 0), t.max_attempts::int, d.dependencies
      from dibs.log_of(p_lease.held) t
      -- dibs.task_of written out, as wherever many are asked for: a call for each would cost more.
      left join dibs.histories_of(p_lease.held) h
        on h.task = ('x' || encode(substr(uuid_send(t.id), 1, 6), 'hex'))::bit(48)::bigint
      left join dibs.dependencies_of(p_lease.held) d
        on d.task = ('x' || encode(substr(uuid_send(t.id), 1, 6), 'hex'))::bit(48)::bigint
      order by t.priority, t.run_at, t.id;
  end if;
end $$;
comment on function dibs.held_tasks(dibs.lease) is 'The tasks of a lease as its worker gets them.';

create or replace function dibs.held_tasks_json(p_lease dibs.lease) returns json
  language plpgsql stable set search_path = '' as $$
declare
  v_run int8range := range_merge(p_lease.held);
begin
  if p_lease.plain and p_lease.held = int8multirange(v_run) then
    -- The usual lease, neighbours never tried: a range of the log's key.
    return (
      select json_agg(t) from (
        select l.id, l.type, l.payload, 1 as attempt, l.max_attempts from dibs.log l
        where l.id >= encode(int8send(lower(v_run) << 16) || int8send(0), 'hex')::uuid
          and l.id < encode(int8send(upper(v_run) << 16) || int8send(0), 'hex')::uuid
        order by l.priority, l.run_at, l.id
      ) t);
  elsif p_lease.fence is null then
    return '[]';
  end if;
  return coalesce((
    select json_agg(to_jsonb(t) - case when t.dependencies is null then 'dependencies' else '' end)
    from dibs.held_tasks(p_lease) t), '[]');
end $$;
comment on function dibs.held_tasks_json(dibs.lease) is
  'The tasks of a lease as its worker gets them: [{id, type, payload, attempt, max_attempts, dependencies?}].';

create or replace function dibs.histories_of(p_tasks int8multirange)
  returns table (task bigint, last int, failures int, losses int)
  -- Settings of its own, since public.tasks calls it too: its plan is one for the whole session.
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
  return query
    select a.task, max(a.n)::int, count(*) filter (where a.outcome = 'failed' and a.n > a.counted_from)::int,
      count(*) filter (where a.outcome = 'lost' and a.n > a.counted_from)::int
    from (
      select a.*, coalesce(
        max(a.n) filter (where a.outcome in ('retried', 'redriven')) over (partition by a.task), 0) as counted_from
      -- A page at a time: of tasks that lie scattered on it, more than a look for each would cost is seldom read.
      from (
          select min(lower(r)) as first, max(upper(r)) as past from unnest(p_tasks) r group by lower(r) >> 7
        ) page,
        lateral (
          select a.task, a.n, a.outcome from dibs.attempt a
          where a.task >= page.first and a.task < page.past and a.task <@ p_tasks offset 0
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
