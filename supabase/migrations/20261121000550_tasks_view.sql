-- public.tasks: one row per task, to read and to write as if it were a table.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.tasks_in(p_tasks int8multirange) returns setof bigint
  language plpgsql immutable parallel safe rows 10 set search_path = '' as $$
begin
  return query select generate_series(lower(run), upper(run) - 1) from unnest(p_tasks) run;
end $$;
comment on function dibs.tasks_in(int8multirange) is
  'The numbers of the tasks in a run or a lease. The planner takes it for ten, which is between a single and a full
run.';

-- A table of that name makes way first, and its rows become tasks. Of millions that takes a while.
set local statement_timeout = 0;
select dibs.carry_tasks();

select dibs.define_view('public.tasks', $$
select t.id, t.type, t.payload, t.status, t.created_at, t.started_at, t.completed_at,
  case when t.status <> 'completed' then (
    select a.error from dibs.attempt a where a.task = t.task order by a.n desc limit 1) end as error,
  t.priority, t.run_at,
  (select h.failures + h.losses from dibs.history_of(t.task) h) + t.running as attempts, t.max_attempts, t.unique_key,
  (select r.result from dibs.result r where r.task = t.task) as result,
  (select p.progress from dibs.progress p where p.task = t.task) as progress,
  t.worker_id, t.lease_expires_at,
  (select nullif(k.key, '') from dibs.task_key k where k.task = t.task) as key,
  (select nullif(k.order_key, '') from dibs.task_key k where k.task = t.task) as order_key
from (
  -- Each branch joins its runs to the log by equality in two ways, for the planner to choose from: by id for whoever
  -- comes from the runs, by page for whoever comes with an id. Every task is in the log; the left joins only let the
  -- planner leave the log out where nothing is asked of it.
  select l.id, l.type, l.payload, l.created_at, l.priority, l.max_attempts, l.unique_key, r.run_at, task,
    'pending'::text as status, null::timestamptz as started_at, null::timestamptz as completed_at,
    null::text as worker_id, null::timestamptz as lease_expires_at, 0 as running
  from dibs.ready r cross join dibs.tasks_in(r.run) task
  left join dibs.log l
    on l.id = dibs.id_of(task, hashint8extended(task, (select seed from dibs.id_seed)))
      and dibs.task_of(l.id) >> 7 = lower(r.run) >> 7
  union all
  select l.id, l.type, l.payload, l.created_at, l.priority, l.max_attempts, l.unique_key, w.run_at, w.task,
    'pending', null, null, null, null, 0
  from dibs.waiting w
  left join dibs.log l
    on l.id = dibs.id_of(w.task, hashint8extended(w.task, (select seed from dibs.id_seed)))
      and dibs.task_of(l.id) = w.task
  union all
  select l.id, l.type, l.payload, l.created_at, l.priority, l.max_attempts, l.unique_key, g.run_at, task,
    'pending', null, null, null, null, 0
  from dibs.gated g cross join dibs.tasks_in(g.run) task
  left join dibs.log l
    on l.id = dibs.id_of(task, hashint8extended(task, (select seed from dibs.id_seed)))
      and dibs.task_of(l.id) >> 7 = lower(g.run) >> 7
  union all
  select l.id, l.type, l.payload, l.created_at, l.priority, l.max_attempts, l.unique_key, l.run_at, task,
    'processing', h.started_at, null, h.worker_id, h.expires_at, 1
  from dibs.lease h cross join dibs.tasks_in(h.held) task
  left join dibs.log l on l.id = dibs.id_of(task, hashint8extended(task, (select seed from dibs.id_seed)))
  union all
  select l.id, l.type, l.payload, l.created_at, l.priority, l.max_attempts, l.unique_key, l.run_at, task,
    o.status, o.started_at, o.completed_at, o.worker_id, null, (o.status = 'completed')::int
  from dibs.outcome o cross join dibs.tasks_in(o.run) task
  left join dibs.log l
    on l.id = dibs.id_of(task, hashint8extended(task, (select seed from dibs.id_seed)))
      and dibs.task_of(l.id) >> 7 = lower(o.run) >> 7
) t
$$);
comment on view public.tasks is
  'Every task with its status: pending, processing, completed, failed or cancelled. Insert type and payload to
enqueue; update status to settle or reset by hand; delete to forget. Workers claim with claim_tasks and settle
with settle_lease, which fence out late writers; an update does not.';

create or replace function dibs.insert_task() returns trigger
  language plpgsql set search_path = '' as $$
begin
  if jsonb_strip_nulls(
    to_jsonb(new) - '{type,payload,priority,run_at,max_attempts,unique_key,key,order_key,status}'::text[]) <> '{}' then
    perform dibs.refuse('PT400',
      'a new task has type, payload, priority, run_at, max_attempts, unique_key, key and order_key only',
      'Leave the rest out; Dibs gives the id, and unique_key makes a task unique.');
  elsif new.status <> 'pending' then
    perform dibs.refuse('PT400', 'status of a new task is pending', 'Leave status out.');
  end if;
  new.id := public.create_task(new.type, coalesce(new.payload, '{}'), coalesce(new.priority, 0::smallint), new.run_at,
    coalesce(new.max_attempts, 5::smallint), new.unique_key,
    nullif(jsonb_strip_nulls(jsonb_build_object('key', new.key, 'order_key', new.order_key)), '{}'));
  select * into new from public.tasks where id = new.id;
  return new;
end $$;
comment on function dibs.insert_task() is 'An insert into public.tasks enqueues.';

create or replace function dibs.update_task() returns trigger
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_task int8multirange := int8multirange(int8range(dibs.task_of(old.id), dibs.task_of(old.id) + 1));
  v_now timestamptz := dibs.clock();
  v_run_at timestamptz := greatest(v_now, case when new.run_at is distinct from old.run_at then new.run_at end);
  v_writable text[] := '{status,error,run_at,started_at,completed_at}';
  v_last dibs.lease;
begin
  if to_jsonb(new) - v_writable <> to_jsonb(old) - v_writable then
    perform dibs.refuse('PT400', 'what a task is cannot be changed once it is enqueued',
      'Update status, error, run_at, started_at and completed_at; for the rest, cancel the task and enqueue another.');
  elsif new.status is null or new.status not in ('pending', 'processing', 'completed', 'failed', 'cancelled')
    or new.status = 'processing' and old.status not in ('pending', 'processing') then
    perform dibs.refuse('PT400', 'status must be pending, processing, completed, failed or cancelled',
      'A task that has ended runs again once it is set to pending.');
  elsif new is not distinct from old
    or (old.status, new.status) = ('pending', 'pending') and new.run_at is not distinct from old.run_at then
    return new;
  end if;

  if (old.status, new.status) = ('pending', 'pending') then
    update dibs.waiting set run_at = v_run_at where task = dibs.task_of(old.id);
    if found then return new; end if;
  end if;
  if new.status = 'processing' then
    if old.status = 'processing' then
      update dibs.lease set started_at = coalesce(new.started_at, started_at) where held @> v_task;
    else
      perform dibs.one_at_a_time(p_single => true);
      v_task := dibs.withdraw(v_task, p_leased => false);
      insert into dibs.lease (started_at, expires_at, held, worker_id)
        select coalesce(new.started_at, v_now), v_now + interval '15 minutes', v_task, 'an update of tasks'
        where not isempty(v_task);
    end if;
    return case when found then new end;
  end if;

  if old.status in ('pending', 'processing') then
    perform dibs.one_at_a_time(p_single => true);
    if old.status = 'processing' then
      -- It means the grant it saw, such as one that looks stuck; by now somebody else may have been granted the task.
      perform from dibs.lease
        where held @> v_task and started_at = old.started_at and worker_id = old.worker_id for update;
      if not found then return null; end if;
    end if;
    v_task := dibs.withdraw(v_task);
  elsif new.status = 'pending' then
    v_task := dibs.revive(v_task, array[old.status]);
  else
    v_task := dibs.unfinish(v_task, array[old.status]);
  end if;
  -- Somebody else was faster: the row is no longer what this update saw.
  if isempty(v_task) then return null; end if;

  v_last.started_at := coalesce(new.started_at, old.started_at);
  v_last.worker_id := old.worker_id;
  v_last.type := old.type;
  if new.status = 'failed' and (old.status <> 'failed' or new.error is distinct from old.error)
    or old.status = 'processing' and new.status = 'pending' then
    insert into dibs.attempt (task, n, outcome, started_at, ended_at, worker_id, error)
      select dibs.task_of(old.id), h.last + 1, case new.status when 'failed' then 'failed' else 'lost' end,
        v_last.started_at, v_now,
        old.worker_id, coalesce(dibs.clean_error(new.error), 'set to ' || new.status || ' by an update')
      from dibs.history_of(dibs.task_of(old.id)) h;
  end if;
  if new.status = 'pending' then
    perform dibs.make_ready(v_task, v_run_at), dibs.wake(v_run_at);
  else
    perform dibs.end_tasks(v_task, new.status, v_last, coalesce(new.completed_at, v_now));
    if new.completed_at < v_now - interval '5 s' then perform dibs.count_at_once(v_task); end if;
  end if;
  return new;
end $$;
comment on function dibs.update_task() is
  'An update of public.tasks settles or resets a task by hand, whoever holds it: what its worker reports later is
refused as lost. A grant made after the update looked is left alone, and the update is of no row.';

create or replace function dibs.delete_task() returns trigger
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_task int8multirange := int8multirange(int8range(dibs.task_of(old.id), dibs.task_of(old.id) + 1));
  v_unfinished int8multirange;
begin
  perform dibs.one_at_a_time();
  v_unfinished := dibs.withdraw(v_task);
  v_task := v_unfinished + dibs.unfinish(v_task, array['completed', 'failed', 'cancelled']);
  if isempty(v_task) then return null; end if;
  -- To those that wait for it, it is cancelled.
  perform dibs.decide(dibs.tell(v_unfinished, 'cancelled'));
  perform dibs.forget(v_task);
  return old;
end $$;
comment on function dibs.delete_task() is 'A delete from public.tasks forgets a task, its history included.';

do $$
begin
  if not exists (select from pg_trigger where tgrelid = 'public.tasks'::regclass) then
    create trigger insert_task instead of insert on public.tasks
      for each row execute function dibs.insert_task();
    create trigger update_task instead of update on public.tasks
      for each row execute function dibs.update_task();
    create trigger delete_task instead of delete on public.tasks
      for each row execute function dibs.delete_task();
  end if;
end $$;

create or replace function public.claim_task() returns setof public.tasks
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_lease dibs.lease := dibs.lease_tasks('claim_task', null, 1, 900);
begin
  -- The row as public.tasks has it, put together without a search for it.
  return query
    select l.id, l.type, l.payload, 'processing'::text, l.created_at, v_lease.started_at, null::timestamptz,
      (select a.error from dibs.attempt a where a.task = lower(v_lease.held) order by a.n desc limit 1),
      l.priority, l.run_at, (select h.failures + h.losses + 1 from dibs.history_of(lower(v_lease.held)) h),
      l.max_attempts, l.unique_key, (select r.result from dibs.result r where r.task = lower(v_lease.held)),
      (select p.progress from dibs.progress p where p.task = lower(v_lease.held)), v_lease.worker_id,
      v_lease.expires_at, nullif(k.key, ''), nullif(k.order_key, '')
    from dibs.log_of(v_lease.held) l left join dibs.task_key k on k.task = lower(v_lease.held);
end $$;
comment on function public.claim_task() is
  'Claim the oldest due task of any type for 15 minutes. Returns its row, now processing, or no row. To end it,
update its status in public.tasks. claim_tasks with settle_lease does more: batches, renewal, retries, and no
late write of a worker that lost its lease.';

select dibs.seal();
