-- What people do to tasks: cancel, try again, hand back, look.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.cancel_tasks(p_ids uuid[]) returns setof uuid
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_cancelled int8multirange;
begin
  perform dibs.one_at_a_time();
  v_cancelled := dibs.withdraw(dibs.tasks_of(p_ids));
  perform dibs.end_tasks(v_cancelled, 'cancelled', null, dibs.clock());
  return query select distinct id from unnest(p_ids) id where dibs.task_of(id) <@ v_cancelled;
end $$;
comment on function public.cancel_tasks(uuid[]) is
  'Cancel tasks that have not ended. One that is being worked on is taken out of its lease: the worker learns so
at its next renewal, and what it settles is refused as lost. Returns the ids that were cancelled. Errors: PT400
for more than 1000 ids.';

create or replace function public.retry_tasks(p_ids uuid[]) returns setof uuid
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_again int8multirange := dibs.revive(dibs.tasks_of(p_ids), array['failed', 'cancelled']);
begin
  if isempty(v_again) then return; end if;
  perform dibs.make_ready(v_again, dibs.clock()), dibs.wake(null);
  return query select distinct id from unnest(p_ids) id where dibs.task_of(id) <@ v_again;
end $$;
comment on function public.retry_tasks(uuid[]) is
  'Let tasks that failed for good or were cancelled run again, due now, with all their attempts anew; the history
stays. One whose unique key another task has by now stays as it is. Returns the ids that wait again.
Errors: PT400 for more than 1000 ids.';

create or replace function public.release_tasks_for_worker(p_worker_id text) returns int
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_released int8multirange;
begin
  perform dibs.check_label('p_worker_id', p_worker_id, 200);
  perform dibs.one_at_a_time();
  with mine as materialized (
    select fence from dibs.lease where worker_id = p_worker_id order by fence for update
  ), deleted as (
    delete from dibs.lease where fence = any (array(select fence from mine)) returning held
  )
  select coalesce(range_agg(r), '{}') into v_released from deleted, unnest(held) r;
  perform dibs.make_ready(v_released);
  return dibs.count_of(v_released);
end $$;
comment on function public.release_tasks_for_worker(text) is
  'Hand back everything a worker holds, so that others get it at once; no attempt is burned. Returns how many
tasks came back.';

create or replace function public.task_attempts(p_id uuid)
  returns table (attempt int, outcome text, worker_id text, started_at timestamptz, ended_at timestamptz, error text)
  language sql stable set search_path = '' as $$
  select a.n::int, a.outcome, a.worker_id, a.started_at, a.ended_at, a.error
    from dibs.attempt a where a.task = dibs.task_of(p_id)
  union all
  select (select coalesce(max(n), 0) + 1 from dibs.attempt where task = dibs.task_of(p_id))::int, o.status, o.worker_id,
      o.started_at, o.completed_at, null
    from dibs.outcome o
    where lower(o.run) >> 7 = dibs.task_of(p_id) >> 7 and o.run @> dibs.task_of(p_id) and o.status <> 'failed'
  order by 1
$$;
comment on function public.task_attempts(uuid) is
  'The history of a task: failed and lost attempts with their errors, retried or redriven when somebody let it run
again, completed or cancelled at the end.';

-- Out of one place, into another -------------------------------------------------------------------

create or replace function dibs.tasks_of(p_ids uuid[]) returns int8multirange
  language plpgsql stable set search_path = '' as $$
begin
  perform dibs.check_between('the number of p_ids', coalesce(cardinality(p_ids), 0), 0, 1000);
  return (
    select coalesce(range_agg(int8range(dibs.task_of(l.id), dibs.task_of(l.id) + 1)), '{}')
    from unnest(p_ids) wanted join dibs.log l on l.id = wanted);
end $$;
comment on function dibs.tasks_of(uuid[]) is 'The set of tasks with these ids; unknown ids are left out.';

create or replace function dibs.withdraw(p_tasks int8multirange, p_leased boolean default true) returns int8multirange
  language plpgsql set search_path = '' as $$
declare
  v_withdrawn int8multirange := '{}';
  v_found int8multirange;
begin
  -- More than one look, since a task may move meanwhile: to a lease, back to ready, or within ready when a claim cuts
  -- its run.
  for v_look in 1..100 loop
    with found as materialized (
      select r.ctid as at, r.* from dibs.ready r
      where lower(r.run) >> 7 = any (array(select distinct lower(run) >> 7 from dibs.runs_of(p_tasks) run))
        and r.run && p_tasks
      order by lower(r.run) for update
    ), deleted as (
      delete from dibs.ready where ctid = any (array(select at from found))
    ), put_back as (
      insert into dibs.ready (type, priority, run_at, run, plain)
      select f.type, f.priority, f.run_at, f.run - p_tasks, f.plain from found f where not f.run <@ p_tasks
    )
    select coalesce(range_agg(run), '{}') * p_tasks into v_found from found;
    v_found := v_found + dibs.withdraw_gated(p_tasks);

    with found as materialized (
      select fence, held from dibs.lease where p_leased and held && p_tasks order by fence for update
    ), emptied as (
      delete from dibs.lease where fence = any (array(select fence from found where held <@ p_tasks))
    ), shrunk as (
      update dibs.lease set held = held - p_tasks
      where fence = any (array(select fence from found where not held <@ p_tasks))
    )
    select v_found + coalesce(range_agg(r), '{}') * p_tasks into v_found from found, unnest(held) r;

    if p_leased then v_found := v_found + dibs.stop_waiting(p_tasks); end if;
    v_withdrawn := v_withdrawn + v_found;
    p_tasks := p_tasks - v_found - dibs.ended(p_tasks);
    exit when isempty(p_tasks) or not p_leased;
  end loop;
  return v_withdrawn;
end $$;
comment on function dibs.withdraw(int8multirange, boolean) is
  'Take tasks that have not ended out of where they are, ready, leased, or waiting for others. Returns those found; the
caller puts them somewhere else. p_leased false: only those that are ready.';

-- With two arguments less there would be two of that name.
drop function if exists dibs.revive(int8multirange, text[]);

create or replace function dibs.revive(
    p_tasks int8multirange, p_statuses text[], p_outcome text default 'retried', p_type text default null)
  returns int8multirange
  language plpgsql set search_path = '' as $$
declare
  v_keyed record;
  v_keyless int8multirange := '{}';
begin
  perform dibs.one_at_a_time();
  p_tasks := p_tasks * dibs.ended(p_tasks, p_statuses);
  -- One by one in the order of the keys, as whoever enqueues; of several with one key the first.
  for v_keyed in
    select t.type, unique_key, dibs.task_of(id) as task,
      lag((t.type, unique_key)) over keys = (t.type, unique_key) as late
    from dibs.log_of(p_tasks) l, lateral (select coalesce(p_type, l.type) as type) t where unique_key is not null
    window keys as (order by t.type, unique_key, id) order by t.type, unique_key, id
  loop
    if v_keyed.late or not dibs.retake_key(v_keyed.type, v_keyed.unique_key, v_keyed.task) then
      v_keyless := v_keyless + int8multirange(int8range(v_keyed.task, v_keyed.task + 1));
    end if;
  end loop;
  p_tasks := dibs.unfinish(p_tasks - v_keyless, p_statuses);
  perform dibs.join_order(p_tasks);
  insert into dibs.attempt (task, n, outcome, ended_at)
    select task, h.last + 1, p_outcome, dibs.clock()
    from unnest(p_tasks) r, generate_series(lower(r), upper(r) - 1) task, lateral dibs.history_of(task) h;
  return p_tasks;
end $$;
comment on function dibs.revive(int8multirange, text[], text, text) is
  'Take back the outcome of tasks that ended in one of these ways, so that they run again with all their attempts
anew, and their unique keys where these are free, among tasks of p_type if that is not null. p_outcome: what the history
calls it. Returns those it could be done for; the caller makes them ready.';

create or replace function dibs.unfinish(p_tasks int8multirange, p_statuses text[]) returns int8multirange
  language plpgsql set search_path = '' as $$
declare
  v_look dibs.look := dibs.last_look();
  v_found int8multirange;
begin
  perform dibs.one_at_a_time();
  with deleted as (
    delete from dibs.outcome o
    where lower(o.run) >> 7 = any (array(select distinct lower(run) >> 7 from dibs.runs_of(p_tasks) run))
      and o.run && p_tasks and o.status = any (p_statuses)
    returning *
  ), put_back as (
    insert into dibs.outcome (run, started_at, completed_at, fence, status, worker_id, type, made_by)
    select run - p_tasks, started_at, completed_at, fence, status, worker_id, type, made_by
    from deleted where not run <@ p_tasks
  ), corrected as (
    insert into dibs.correction (status, tasks, made_by)
    select d.status, -sum(dibs.count_of(d.run * p_tasks)), dibs.unless_seen(v_look, since, d.made_by, d.completed_at)
    from deleted d, dibs.unseen_since(v_look) since group by 1, 3
  )
  select coalesce(range_agg(run), '{}') * p_tasks into v_found from deleted;
  return v_found;
end $$;
comment on function dibs.unfinish(int8multirange, text[]) is
  'Take back the outcome of tasks that ended in one of these ways. Returns those found; the caller puts them
somewhere else.';

create or replace function dibs.ended(
    p_tasks int8multirange, p_statuses text[] default array['completed', 'failed', 'cancelled'])
  returns int8multirange
  language plpgsql set search_path = '' as $$
begin
  -- Locked, so that nobody prunes what is being looked at.
  return (
    select coalesce(range_agg(o.run), '{}') from (
      select run from dibs.outcome
      where lower(run) >> 7 = any (array(select distinct lower(r) >> 7 from dibs.runs_of(p_tasks) r))
        and run && p_tasks and status = any (p_statuses)
      order by lower(run) for update
    ) o);
end $$;
comment on function dibs.ended(int8multirange, text[]) is
  'The runs that ended in one of these ways and have a part of these tasks.';

create or replace function dibs.one_at_a_time(p_single boolean default false) returns void
  language plpgsql set search_path = '' as $$
begin
  if p_single then
    perform pg_advisory_xact_lock_shared(hashtextextended('dibs.one_at_a_time', 0));
  else
    perform pg_advisory_xact_lock(hashtextextended('dibs.one_at_a_time', 0));
  end if;
end $$;
comment on function dibs.one_at_a_time(boolean) is
  'Wait for the others who move tasks by hand: each locks many rows, and two that began in different places could
wait for each other. p_single: for one task only; those go on side by side. Workers never come here.';

create or replace function dibs.forget(p_tasks int8multirange) returns void
  language plpgsql set search_path = '' as $$
declare
  v_look dibs.look := dibs.last_look();
begin
  -- From the runs to the keys, whatever the statistics say. By place where rows are never updated.
  with gone as (
    delete from dibs.log where ctid = any (array(
      select t.at from unnest(p_tasks) r, lateral (
        select ctid as at from dibs.log
        where id >= encode(int8send(lower(r) << 16) || int8send(0), 'hex')::uuid
          and id < encode(int8send(upper(r) << 16) || int8send(0), 'hex')::uuid offset 0) t))
    returning dibs.task_of(id) as task, made_by
  )
  insert into dibs.correction (status, tasks, made_by)
    select 'enqueued', -count(*), dibs.unless_seen(v_look, since, g.made_by, g.task)
    from gone g, dibs.unseen_since(v_look) since group by 3;
  delete from dibs.attempt where ctid = any (array(
    select t.at from unnest(p_tasks) r, lateral (
      select ctid as at from dibs.attempt where task >= lower(r) and task < upper(r) offset 0) t));
  delete from dibs.unique_key where ctid = any (array(
    select t.at from unnest(p_tasks) r, lateral (
      select ctid as at from dibs.unique_key where task >= lower(r) and task < upper(r) for update skip locked) t));
  delete from dibs.result where task = any (array(
    select t.task from unnest(p_tasks) r, lateral (
      select task from dibs.result where task >= lower(r) and task < upper(r) offset 0) t));
  delete from dibs.progress where task = any (array(
    select t.task from unnest(p_tasks) r, lateral (
      select task from dibs.progress where task >= lower(r) and task < upper(r) offset 0) t));
  delete from dibs.dependency where task = any (array(
    select t.task from unnest(p_tasks) r, lateral (
      select task from dibs.dependency where task >= lower(r) and task < upper(r) offset 0) t));
  perform dibs.leave_order(p_tasks);
  delete from dibs.task_key where ctid = any (array(
    select t.at from unnest(p_tasks) r, lateral (
      select ctid as at from dibs.task_key where task >= lower(r) and task < upper(r) offset 0) t));
  delete from dibs.effect where id = any (array(
    select t.id from unnest(p_tasks) r, lateral (
      select id from dibs.effect
      where id >= encode(int8send(lower(r) << 16) || int8send(0), 'hex')::uuid
        and id < encode(int8send(upper(r) << 16) || int8send(0), 'hex')::uuid offset 0) t));
end $$;
comment on function dibs.forget(int8multirange) is 'Delete what is kept of tasks that are in no place any more.';

select dibs.seal();
