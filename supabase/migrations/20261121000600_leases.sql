-- What a worker does with a lease, whether it holds tasks or thoughts: renew it, settle it, and in
-- the same call claim the next.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.renew_lease(
    p_fence text, p_lease_seconds int default 900, p_progress jsonb default null) returns setof uuid
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_fence bigint := dibs.parse_fence(p_fence);
begin
  perform dibs.check_between('p_lease_seconds', p_lease_seconds, 1, 86400);
  if jsonb_typeof(p_progress) not in ('object', 'null') then
    perform dibs.refuse('PT400', 'p_progress must be an object from task ids to progress');
  end if;
  return query select id from dibs.renew_tasks(v_fence, p_lease_seconds, p_progress) id;
  if not found then
    -- Thoughts whose ids are no uuids have other fences, and none of these.
    return query select id::text::uuid from dibs.renew_thoughts(v_fence, p_lease_seconds) id;
  end if;
end $$;
comment on function public.renew_lease(text, int, jsonb) is
  'Prolong a lease: a heartbeat, one row however much is held. From now it lasts p_lease_seconds more.
p_progress: {task id: any JSON} to be shown in public.tasks; tasks the lease does not hold are left out.
Returns the ids still held. One that is missing was cancelled, or settled. No row: the lease is lost, stop the
work.
Errors: PT400 for bad input.';

create or replace function public.settle_lease(
    p_fence text, p_outcomes jsonb default '[]', p_rest text default null, p_request_id text default null,
    out settled int, out lost uuid[])
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_answer jsonb := dibs.recall('settle_lease', p_request_id);
begin
  if v_answer is null then
    select s.settled, s.lost into settled, lost from dibs.settle(p_fence, p_outcomes, p_rest) s;
    perform dibs.remember('settle_lease', p_request_id, jsonb_build_object('settled', settled, 'lost', lost));
  else
    settled := v_answer ->> 'settled';
    lost := array(select jsonb_array_elements_text(v_answer -> 'lost')::uuid);
  end if;
end $$;
comment on function public.settle_lease(text, jsonb, text, text) is
  'Report what came of granted work.
p_outcomes: [{id, status, error?, result?, metadata?, permanent?}]; status is succeeded, failed or released
(handed back, no attempt burned); result is kept with a task; metadata is merged into a thought''s in this very
transaction; permanent: a failure that no retry will mend.
p_rest: what came of everything the lease holds and p_outcomes does not name; null leaves it leased.
p_request_id: a repeat of the same request is answered the same.
Returns how many were settled, and the named ids that were not, because the lease no longer holds them:
somebody else has them, or will.
Errors: PT400 with the path of the bad field; then nothing was settled.';

create or replace function public.settle_and_claim_tasks(
    p_fence text, p_outcomes jsonb, p_rest text, p_worker_id text, p_types text[], p_limit int,
    p_lease_seconds int default 900, p_request_id text default null) returns json
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_before jsonb;
  v_settled int;
  v_lost uuid[] := '{}';
  v_lease dibs.lease;
begin
  if p_request_id is not null then v_before := dibs.recall('settle_and_claim_tasks', p_request_id); end if;
  if v_before is null then
    if p_rest = 'succeeded' and p_outcomes = '[]' then v_settled := dibs.complete_lease(p_fence); end if;
    if v_settled is null then
      select settled, lost into v_settled, v_lost from dibs.settle(p_fence, p_outcomes, p_rest);
    end if;
    v_lease := dibs.lease_tasks(p_worker_id, p_types, p_limit, p_lease_seconds);
    if p_request_id is not null then
      perform dibs.remember('settle_and_claim_tasks', p_request_id,
        jsonb_build_object('settled', v_settled, 'lost', v_lost, 'fence', v_lease.fence::text));
    end if;
  else
    select settled, lost into v_settled, v_lost from jsonb_to_record(v_before) as r(settled int, lost uuid[]);
    select * into v_lease from dibs.lease where fence = (v_before ->> 'fence')::bigint;
  end if;
  return json_build_object(
    'settled', v_settled, 'lost', v_lost, 'fence', coalesce(v_before ->> 'fence', v_lease.fence::text),
    'lease_expires_at', v_lease.expires_at,
    'lease_ms', case when v_before is null and v_lease.fence is not null then p_lease_seconds * 1000
      else dibs.ms_until(v_lease.expires_at) end,
    'tasks', dibs.held_tasks_json(v_lease));
end $$;
comment on function public.settle_and_claim_tasks(text, jsonb, text, text, text[], int, int, text) is
  'settle_lease and claim_tasks in one transaction and one round trip.
Returns {settled, lost, fence, lease_expires_at, lease_ms, tasks: [{id, type, payload, attempt,
max_attempts}]}; fence is null when nothing was due.
Errors: PT400 with the path of the bad field; then nothing was settled nor claimed.';

-- Either surface -----------------------------------------------------------------------------------

create or replace function dibs.settle(p_fence text, p_outcomes jsonb, p_rest text, out settled int, out lost uuid[])
  language plpgsql set search_path = '' as $$
declare
  v_fence bigint;
begin
  -- The usual end first: it has no more to it than this.
  if p_rest = 'succeeded' and p_outcomes = '[]' then
    settled := dibs.complete_lease(p_fence);
    lost := '{}';
    if settled is not null then return; end if;
  end if;
  v_fence := dibs.parse_fence(p_fence);
  perform dibs.check_rest(p_rest);
  if exists (select from public.thought_work_claims where fence = v_fence) then
    select s.settled, s.lost into settled, lost from dibs.settle_thoughts(v_fence, p_outcomes, p_rest) s;
  else
    select s.settled, s.lost into settled, lost from dibs.settle_tasks(v_fence, p_outcomes, p_rest) s;
  end if;
end $$;
comment on function dibs.settle(text, jsonb, text) is 'Settle a lease of tasks or thoughts: the fence says which.';

create or replace function dibs.renew_tasks(p_fence bigint, p_lease_seconds int, p_progress jsonb) returns setof uuid
  language plpgsql set search_path = '' as $$
declare
  v_held int8multirange;
begin
  -- Locked first: the clock is read when nobody else can keep this waiting any more.
  perform from dibs.lease where fence = p_fence for update;
  update dibs.lease set expires_at = dibs.clock() + p_lease_seconds * interval '1 s'
    where fence = p_fence returning held into v_held;
  if not found then return; end if;
  insert into dibs.progress
    select distinct on (dibs.task_of(key::uuid)) dibs.task_of(key::uuid), value, dibs.clock()
    from jsonb_each(coalesce(nullif(p_progress, 'null'), '{}'))
    where key ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' and dibs.task_of(key::uuid) <@ v_held
    on conflict (task) do update set progress = excluded.progress, reported_at = excluded.reported_at;
  return query select id from dibs.log_of(v_held);
end $$;
comment on function dibs.renew_tasks(bigint, int, jsonb) is
  'Prolong a lease on tasks and note their progress. Returns the ids held.';

create or replace function dibs.ms_until(p_moment timestamptz) returns int
  language plpgsql volatile set search_path = '' as $$
begin
  -- In float: extract would count in numeric, which takes longer than all the rest here.
  -- Half a microsecond more, lest 1.001 s be told as 1000 ms.
  return greatest(0, floor(date_part('epoch', p_moment - dibs.clock()) * 1000 + 0.0005));
end $$;
comment on function dibs.ms_until(timestamptz) is
  'Milliseconds from now. Workers count these on their own monotonic clock, so that a wrong wall clock does no
harm.';

select dibs.seal();
