-- Settling: what a lease held becomes outcomes, waits again, or goes back untouched.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.complete_lease(p_fence text) returns int
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_lease dibs.lease;
  v_awaited boolean;
begin
  if p_fence !~ '^[0-9]{1,18}$' then return null; end if;
  delete from dibs.lease where fence = p_fence::bigint returning * into v_lease;
  if not found then return null; end if;
  if v_lease.plain and lower(v_lease.held) >> 7 = (upper(v_lease.held) - 1) >> 7 then
    insert into dibs.outcome (run, started_at, completed_at, fence, status, worker_id, type)
      values (v_lease.held, v_lease.started_at, v_now, v_lease.fence, 'completed', v_lease.worker_id, v_lease.type)
      -- What dibs.is_awaited asks, in passing.
      returning current_setting('transaction_isolation') <> 'read committed' or exists (
        select from dibs.dependency d
        where d.awaited and d.parent >= lower(v_lease.held) and d.parent < upper(v_lease.held)) into v_awaited;
    if v_awaited then perform dibs.decide(dibs.tell(v_lease.held, 'completed')); end if;
  else
    perform dibs.end_tasks(v_lease.held, 'completed', v_lease, v_now);
  end if;
  -- Neighbours, mostly: their count is at hand.
  return case when v_lease.held = int8multirange(range_merge(v_lease.held))
    then upper(v_lease.held) - lower(v_lease.held) else dibs.count_of(v_lease.held) end;
end $$;
comment on function dibs.complete_lease(text) is
  'The usual end of a lease: everything it held succeeded. Returns how many tasks that were, null when there is no
such lease of tasks.';

create or replace function dibs.settle_tasks(
    p_fence bigint, p_outcomes jsonb, p_rest text, out settled int, out lost uuid[])
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz;
  v_lease dibs.lease;
  v_outcomes record;
  v_named int8multirange;
  v_failed int8multirange;
  v_released int8multirange;
  v_settled int8multirange;
begin
  -- Read once, as arrays: whoever needs them more than once need not match rows by their ids. The numbers are
  -- dibs.task_of written out, as in end_attempts, which spares a call for each.
  select array_agg(id) as ids, array_agg(task) as tasks, array_agg(status) as statuses, array_agg(error) as errors,
      array_agg(permanent) as permanent, array_agg(result) as results, bool_or(result is not null) as any_result,
      coalesce(range_agg(int8range(task, task + 1)), '{}') as named,
      coalesce(range_agg(int8range(task, task + 1)) filter (where status = 'failed'), '{}') as failed,
      coalesce(range_agg(int8range(task, task + 1)) filter (where status = 'released'), '{}') as released
    into v_outcomes
    from (
      select ('x' || encode(substr(uuid_send(id), 1, 6), 'hex'))::bit(48)::bigint as task, *
      from dibs.read_outcomes(p_outcomes)
    ) o;
  v_named := v_outcomes.named;
  if cardinality(v_outcomes.tasks) > dibs.count_of(v_named) then
    perform dibs.refuse('PT400', 'p_outcomes names a task by an id that is not its own',
      'Send ids back exactly as the claim gave them.');
  end if;

  select * into v_lease from dibs.lease where fence = p_fence for update;
  if found then
    v_settled := case when p_rest is null then v_lease.held * v_named else v_lease.held end;
    if v_settled = v_lease.held then
      delete from dibs.lease where fence = p_fence;
    elsif not isempty(v_settled) then
      update dibs.lease set held = held - v_settled where fence = p_fence;
    end if;
  else
    v_settled := '{}';
  end if;
  v_failed := v_settled * (v_outcomes.failed + case when p_rest = 'failed' then v_settled - v_named else '{}' end);
  v_released := v_settled
    * (v_outcomes.released + case when p_rest = 'released' then v_settled - v_named else '{}' end);
  v_now := dibs.clock();

  if not v_settled <@ (v_failed + v_released) then
    perform dibs.end_tasks(v_settled - v_failed - v_released, 'completed', v_lease, v_now);
  end if;
  if v_failed = v_named and not isempty(v_failed) then
    -- Mostly: those that failed are named, and no others.
    perform dibs.end_attempts('failed', v_lease, v_outcomes.tasks, v_outcomes.errors, v_outcomes.permanent);
  elsif not isempty(v_failed) then
    perform dibs.end_attempts('failed', v_lease, array_agg(task), array_agg(error), array_agg(permanent))
      from (
        select task, error, permanent from unnest(v_outcomes.tasks, v_outcomes.errors, v_outcomes.permanent)
          as o(task, error, permanent) where task <@ v_failed
        union all
        select task, null, false from unnest(v_failed - v_named) r, generate_series(lower(r), upper(r) - 1) task
      ) t;
  end if;
  if not isempty(v_released) then
    perform dibs.make_ready(v_released);
  end if;
  if v_outcomes.any_result then
    insert into dibs.result
      select task, result from unnest(v_outcomes.tasks, v_outcomes.results) as o(task, result)
      where result is not null and task <@ v_settled
      -- There is one already when a task that was done is run once more.
      on conflict (task) do update set result = excluded.result;
  end if;
  settled := dibs.count_of(v_settled);
  lost := '{}';
  if not v_named <@ v_settled then
    select coalesce(array_agg(id) filter (where not repeated), '{}'), settled + count(*) filter (where repeated)
      into lost, settled
      from (
        select id, dibs.was_settled(p_fence, task, status) as repeated
        from unnest(v_outcomes.ids, v_outcomes.tasks, v_outcomes.statuses) as o(id, task, status)
        where not task <@ v_settled
      ) o;
  end if;
end $$;
comment on function dibs.settle_tasks(bigint, jsonb, text) is
  'Settle tasks of one lease, as settle_lease says. A lease that is gone settles nothing: its worker was fenced
out.';

-- Where tasks go -----------------------------------------------------------------------------------

create or replace function dibs.end_tasks(
    p_tasks int8multirange, p_status text, p_lease dibs.lease, p_now timestamptz) returns void
  language plpgsql set search_path = '' as $$
begin
  insert into dibs.outcome (run, started_at, completed_at, fence, status, worker_id, type)
    select run, p_lease.started_at, p_now, p_lease.fence, p_status, p_lease.worker_id, coalesce(p_lease.type, '')
    from dibs.runs_of(p_tasks) run;
  if p_lease.plain is not true then perform dibs.free_keys(p_tasks); end if;
  if dibs.is_awaited(p_tasks) then perform dibs.decide(dibs.tell(p_tasks, p_status)); end if;
end $$;
comment on function dibs.end_tasks(int8multirange, text, dibs.lease, timestamptz) is
  'Give tasks that are in no other place their outcome, free their unique keys, and tell those that wait for them.';

create or replace function dibs.free_keys(p_tasks int8multirange) returns void
  language plpgsql set search_path = '' as $$
begin
  delete from dibs.unique_key where ctid = any (array(
    -- A page at a time, as in dibs.histories_of.
    select k.at from (
        select min(lower(r)) as first, max(upper(r)) as past from unnest(p_tasks) r group by lower(r) >> 7
      ) page,
      lateral (
        select k.ctid as at from dibs.unique_key k
        where k.task >= page.first and k.task < page.past and k.task <@ p_tasks
          and (k.held_until is null or k.held_until <= dibs.clock())
        for update skip locked offset 0
      ) k));
  if exists (select from dibs.in_order) then perform dibs.leave_order(p_tasks); end if;
end $$;
comment on function dibs.free_keys(int8multirange) is
  'Let others have the unique keys of tasks that ended, but for those held longer, and the next of their order keys
run. A key that somebody takes over this moment is passed by.';

create or replace function dibs.make_ready(p_tasks int8multirange, p_run_at timestamptz default null) returns void
  language plpgsql set search_path = '' as $$
begin
  -- A lease knows numbers only: what goes back finds its lane in the log.
  insert into dibs.ready (type, priority, run_at, run)
  select type, priority, coalesce(p_run_at, least(min(run_at), dibs.clock())),
    dibs.runs_of(range_agg(int8range(task, task + 1)))
  from (
    select type, priority, run_at, ('x' || encode(substr(uuid_send(id), 1, 6), 'hex'))::bit(48)::bigint as task
    from dibs.log_of(p_tasks)
  ) t
  group by type, priority;
end $$;
comment on function dibs.make_ready(int8multirange, timestamptz) is
  'Let tasks that are in no other place wait for their next claim, from p_run_at on. Null: in the place they had,
for whoever hands work back has not made it younger.';

create or replace function dibs.end_attempts(
    p_outcome text, p_lease dibs.lease, p_tasks bigint[], p_errors text[], p_permanent boolean[]) returns void
  -- A hash join of what is at hand anyway: no table is in it whose statistics could mislead.
  language plpgsql set search_path = '' set enable_hashjoin = on as $$
declare
  v_now timestamptz := dibs.clock();
  v_tried int8multirange := '{}';
  v_over int8multirange;
begin
  if p_lease.plain is not true then
    v_tried := (select range_agg(int8range(task, task + 1)) from unnest(p_tasks) task);
  end if;
  with judged as materialized (
    select t.task, l.type, l.priority, l.run_at, coalesce(h.last, 0) + 1 as n,
      coalesce(h.failures, 0) + 1 as failures, t.error, case p_outcome
        when 'failed' then t.permanent or coalesce(h.failures, 0) + 1 >= l.max_attempts
        else coalesce(h.losses, 0) + 1 >= (select max_losses from dibs.settings) end as over
    from unnest(p_tasks, p_errors, p_permanent) t(task, error, permanent)
    cross join lateral (
        select type, priority, run_at, max_attempts from dibs.log
        where id >= encode(int8send(t.task << 16) || int8send(0), 'hex')::uuid
          and id < encode(int8send((t.task + 1) << 16) || int8send(0), 'hex')::uuid
        offset 0
      ) l
    left join dibs.histories_of(v_tried) h on h.task = t.task
  ), noted as (
    insert into dibs.attempt (task, n, outcome, started_at, ended_at, fence, worker_id, error)
    select task, n, p_outcome, p_lease.started_at, v_now, p_lease.fence, p_lease.worker_id, error from judged
  ), again as (
    -- Those that fared alike stay together as runs, and their backoff is one; what was lost keeps its place.
    insert into dibs.ready (type, priority, run_at, run)
    select type, priority,
      case p_outcome when 'failed' then v_now + dibs.backoff(failures) else least(first, v_now) end,
      dibs.runs_of(tasks)
    from (
      select type, priority, case p_outcome when 'failed' then failures end as failures, min(run_at) as first,
        range_agg(int8range(task, task + 1)) as tasks
      from judged where not over group by 1, 2, 3
    ) alike
  )
  select range_agg(int8range(task, task + 1)) into v_over from judged where over;
  if v_over is not null then
    perform dibs.end_tasks(v_over, 'failed', p_lease, v_now);
  end if;
end $$;
comment on function dibs.end_attempts(text, dibs.lease, bigint[], text[], boolean[]) is
  'An attempt of each of these tasks failed or was lost: they wait for the next one, failed ones after a backoff,
or fail for good when that was the last. A lost attempt has its own cap (settings.max_losses), since most of a
lost batch had not begun.';

-- Reaping ------------------------------------------------------------------------------------------

create or replace function dibs.reap_leases() returns int
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_lease dibs.lease;
  v_reaped int := 0;
begin
  for v_lease in
    delete from dibs.lease where fence = any (array(
      select l.fence from dibs.lease l where l.expires_at < v_now order by l.fence for update skip locked))
    returning *
  loop
    perform dibs.end_attempts('lost', v_lease, array_agg(task),
        array_agg('the lease ended before the task was settled'::text), array_agg(false))
      from unnest(v_lease.held) r, generate_series(lower(r), upper(r) - 1) task;
    v_reaped := v_reaped + dibs.count_of(v_lease.held);
  end loop;
  return v_reaped;
end $$;
comment on function dibs.reap_leases() is
  'Take back what expired leases hold. Their workers are fenced out from here on. Returns the number of tasks;
waits for nobody.';

create or replace function public.reap_tasks() returns int
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
  return dibs.reap_leases();
end $$;
comment on function public.reap_tasks() is
  'Make tasks of expired leases available again. Claims and the tick do this by themselves. Returns how many tasks
came back.';

-- Small questions ----------------------------------------------------------------------------------

create or replace function dibs.count_of(p_tasks int8multirange) returns int
  language plpgsql immutable set search_path = '' as $$
begin
  return (select coalesce(sum(upper(r) - lower(r)), 0) from unnest(p_tasks) r);
end $$;
comment on function dibs.count_of(int8multirange) is 'How many tasks are in a set.';

create or replace function dibs.was_settled(p_fence bigint, p_task bigint, p_status text) returns boolean
  language plpgsql stable set search_path = '' as $$
begin
  return case p_status
    when 'succeeded' then exists (select from dibs.outcome o
      where lower(o.run) >> 7 = p_task >> 7 and o.run @> p_task and o.fence = p_fence and o.status = 'completed')
    when 'failed' then exists (select from dibs.attempt a
      where a.task = p_task and a.fence = p_fence and a.outcome = 'failed')
    else false end;
end $$;
comment on function dibs.was_settled(bigint, bigint, text) is
  'Whether this very grant already reported this outcome of a task: then saying it again is no loss.';

select dibs.seal();
