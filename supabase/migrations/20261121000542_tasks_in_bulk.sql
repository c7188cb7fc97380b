-- Many tasks at once, by a filter: cancel, try again, move to another priority. A call that is not told otherwise only
-- says what it would do, and each does a bounded piece of the work, so that no lock is held for long.
--
-- Nobody is waited for but others who move tasks by hand: what a worker has in its hands this moment is passed by, and
-- `more` says that there is some left.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.cancel_tasks_where(
    p_filter jsonb, p_dry_run boolean default true, p_limit int default 1000) returns jsonb
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_statuses text[] := array['pending', 'processing'];
  v_found bigint[];
  v_done int8multirange;
begin
  perform dibs.check_bulk(p_filter, v_statuses, p_limit);
  if p_dry_run is not false then return dibs.rehearse(p_filter, v_statuses); end if;
  perform dibs.one_at_a_time();
  v_found := dibs.find_tasks(p_filter, v_statuses, p_limit);
  v_done := dibs.withdraw_at_once(v_found, coalesce(p_filter -> 'statuses', '["processing"]') ? 'processing');
  perform dibs.end_tasks(v_done, 'cancelled', null, dibs.clock());
  return dibs.told(v_found, v_done, p_limit);
end $$;
comment on function public.cancel_tasks_where(jsonb, boolean, int) is
  'Cancel all tasks that fit a filter: those that wait, and those that are being worked on, as in cancel_tasks.
p_filter: {types?, statuses? (pending, processing), ids?, created_before?, created_after?, run_before?, run_after?,
error? (of the last attempt, a LIKE pattern), unique_key_prefix?, key?, order_key?, payload? (contained in theirs)}, one
of them at least; a task must fit all of them.
p_dry_run: false to do it; otherwise it is only told what would be done. p_limit: at most so many in one call, 1 to
10000.
Returns {dry_run, tasks: how many, sample: up to ten of their ids, more: whether some are left}.
Errors: PT400 for bad input, for an empty filter too.';

create or replace function public.retry_tasks_where(
    p_filter jsonb, p_dry_run boolean default true, p_limit int default 1000) returns jsonb
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_statuses text[] := array['failed', 'cancelled'];
  v_found bigint[];
  v_done int8multirange;
begin
  perform dibs.check_bulk(p_filter, v_statuses, p_limit);
  if p_dry_run is not false then return dibs.rehearse(p_filter, v_statuses, dibs.key_is_free()); end if;
  perform dibs.one_at_a_time();
  v_found := dibs.find_tasks(p_filter, v_statuses, p_limit, dibs.key_is_free());
  v_done := dibs.revive(dibs.set_of(v_found), v_statuses);
  perform dibs.make_ready(v_done, dibs.clock()), dibs.wake(null) where not isempty(v_done);
  return dibs.told(v_found, v_done, p_limit);
end $$;
comment on function public.retry_tasks_where(jsonb, boolean, int) is
  'Let all tasks that fit a filter run again, due now, as in retry_tasks. To spread them over time see redrive_tasks.
p_filter: as in cancel_tasks_where; statuses are failed and cancelled. One whose unique key another task has by now does
not fit.
p_dry_run, p_limit, result and errors: as in cancel_tasks_where.';

create or replace function public.reprioritize_tasks_where(
    p_filter jsonb, p_priority int, p_dry_run boolean default true, p_limit int default 1000) returns jsonb
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_statuses text[] := array['pending'];
  v_other text := format('priority <> %L', p_priority);
  v_found bigint[];
  v_done int8multirange;
begin
  perform dibs.check_bulk(p_filter, v_statuses, p_limit), dibs.check_between('p_priority', p_priority, -32768, 32767);
  if p_dry_run is not false then return dibs.rehearse(p_filter, v_statuses, v_other); end if;
  perform dibs.one_at_a_time();
  v_found := dibs.find_tasks(p_filter, v_statuses, p_limit, v_other);
  -- Lanes before what waits in them, as everybody.
  insert into dibs.lane
    select type, p_priority from dibs.log_of(dibs.set_of(v_found)) union select '', p_priority
    order by 1 on conflict do nothing;
  with moved as (
    insert into dibs.ready (type, priority, run_at, run, plain)
    select type, p_priority, run_at, run, plain from dibs.take_pending(v_found) returning run
  )
  select coalesce(range_agg(run), '{}') + dibs.lock_waiting(v_found) into v_done from moved;
  update dibs.log l set priority = p_priority
    from unnest(v_done) r where l.id >= dibs.id_of(lower(r)) and l.id < dibs.id_of(upper(r));
  return dibs.told(v_found, v_done, p_limit);
end $$;
comment on function public.reprioritize_tasks_where(jsonb, int, boolean, int) is
  'Give another priority to all tasks that wait and fit a filter; when they are due stays.
p_filter: as in cancel_tasks_where; the only status is pending. Tasks that have that priority do not fit.
p_priority: smaller runs first, -32768 to 32767.
p_dry_run, p_limit, result and errors: as in cancel_tasks_where.';

-- What they have in common -------------------------------------------------------------------------

create or replace function dibs.check_bulk(p_filter jsonb, p_statuses text[], p_limit int) returns void
  language plpgsql set search_path = '' as $$
begin
  perform dibs.check_filter(p_filter, p_statuses), dibs.check_between('p_limit', p_limit, 1, 10000);
end $$;
comment on function dibs.check_bulk(jsonb, text[], int) is
  'Refuse (PT400) what no call about many tasks can have.';

create or replace function dibs.key_is_free(p_type text default null) returns text
  language plpgsql immutable set search_path = '' as $$
begin
  -- As dibs.take_key sees it: a row may also be that of a task that has given its key up.
  return format($condition$(unique_key is null or not exists (select from dibs.unique_key k
    where k.type = %s and k.key = t.unique_key and k.task <> t.task
      and case dibs.place_of(k.task, true) when 'running' then true when 'completed' then k.held_until > dibs.clock()
        when 'failed' then k.held_until > dibs.clock() else false end))$condition$,
    coalesce(quote_literal(p_type), 't.type'));
end $$;
comment on function dibs.key_is_free(text) is
  'The condition on tasks that ended that nobody else has their unique key, among those of p_type if it is not null.';

create or replace function dibs.rehearse(p_filter jsonb, p_statuses text[], p_and text default 'true') returns jsonb
  language plpgsql set search_path = '' as $$
declare
  v_answer jsonb;
begin
  execute format($query$
    select jsonb_build_object('dry_run', true, 'tasks', count(*), 'more', count(*) > 0,
      'sample', coalesce(jsonb_agg(id order by nth) filter (where nth <= 10), '[]'))
    from (select id, row_number() over () as nth from (%s and %s) t) t$query$,
    dibs.task_query(p_filter, p_statuses), p_and) into v_answer;
  return v_answer;
end $$;
comment on function dibs.rehearse(jsonb, text[], text) is 'The answer of a dry run. Locks nothing.';

create or replace function dibs.find_tasks(p_filter jsonb, p_statuses text[], p_limit int, p_and text default 'true')
  returns bigint[]
  language plpgsql set search_path = '' as $$
declare
  v_found bigint[];
begin
  execute format('select array_agg(task order by at, task) from (%s and %s limit %L) t',
    dibs.task_query(p_filter, p_statuses), p_and, p_limit) into v_found;
  return coalesce(v_found, '{}');
end $$;
comment on function dibs.find_tasks(jsonb, text[], int, text) is
  'Up to p_limit tasks that fit a filter, those that have been so for longest first. Locks nothing, so whoever changes
them looks again.';

create or replace function dibs.set_of(p_tasks bigint[]) returns int8multirange
  language plpgsql immutable set search_path = '' as $$
begin
  return (select coalesce(range_agg(int8range(task, task + 1)), '{}') from unnest(p_tasks) task);
end $$;
comment on function dibs.set_of(bigint[]) is 'Tasks as a set.';

create or replace function dibs.withdraw_at_once(p_tasks bigint[], p_leased boolean) returns int8multirange
  language plpgsql set search_path = '' as $$
declare
  v_tasks int8multirange := dibs.set_of(p_tasks);
  v_pending int8multirange := (select coalesce(range_agg(run), '{}') from dibs.take_pending(p_tasks));
  v_leased int8multirange;
begin
  with found as materialized (
    select fence, held from dibs.lease where p_leased and held && v_tasks order by fence for update skip locked
  ), emptied as (
    delete from dibs.lease where fence = any (array(select fence from found where held <@ v_tasks))
  ), shrunk as (
    update dibs.lease set held = held - v_tasks
    where fence = any (array(select fence from found where not held <@ v_tasks))
  )
  select coalesce(range_agg(held * v_tasks), '{}') into v_leased from found;
  return v_pending + v_leased + dibs.stop_waiting(dibs.lock_waiting(p_tasks));
end $$;
comment on function dibs.withdraw_at_once(bigint[], boolean) is
  'As dibs.withdraw, but for what somebody else has locked. p_leased: those that are leased, too.';

create or replace function dibs.lock_waiting(p_tasks bigint[]) returns int8multirange
  language plpgsql set search_path = '' as $$
begin
  return dibs.set_of(array(
    select w.task from dibs.waiting w where w.task = any (p_tasks) order by w.task for update skip locked));
end $$;
comment on function dibs.lock_waiting(bigint[]) is
  'Those of the tasks that wait for others, locked so that nobody decides about them; what is locked is left out.';

create or replace function dibs.take_pending(p_tasks bigint[]) returns setof dibs.ready
  language plpgsql set search_path = '' as $$
declare
  v_tasks int8multirange := dibs.set_of(p_tasks);
begin
  return query
    with found as materialized (
      select r.ctid as at, r.* from dibs.ready r
      where lower(r.run) >> 7 = any (array(select distinct task >> 7 from unnest(p_tasks) task)) and r.run && v_tasks
      for update skip locked
    ), deleted as (
      delete from dibs.ready where ctid = any (array(select at from found))
    ), put_back as (
      insert into dibs.ready (type, priority, run_at, run, plain)
      select f.type, f.priority, f.run_at, f.run - v_tasks, f.plain from found f where not f.run <@ v_tasks
    )
    select f.run_at, f.run * v_tasks, f.priority, f.plain, f.type from found f;
  return query
    with found as materialized (
      select g.ctid as at, g.* from dibs.gated g
      where lower(g.run) >> 7 = any (array(select distinct task >> 7 from unnest(p_tasks) task)) and g.run && v_tasks
      for update skip locked
    ), deleted as (
      delete from dibs.gated where ctid = any (array(select at from found))
    ), put_back as (
      insert into dibs.gated (type, priority, key, order_key, run_at, run, plain)
      select f.type, f.priority, f.key, f.order_key, f.run_at, f.run - v_tasks, f.plain
      from found f where not f.run <@ v_tasks
    )
    -- A key is found again only where it is looked for.
    select f.run_at, f.run * v_tasks, f.priority, f.plain and f.key = '', f.type from found f;
end $$;
comment on function dibs.take_pending(bigint[]) is
  'Take those of the tasks that are ready or wait at a gate, and that nobody has locked, out of there. Returns their
parts of the runs.';

create or replace function dibs.told(p_found bigint[], p_done int8multirange, p_limit int) returns jsonb
  language plpgsql stable set search_path = '' as $$
declare
  v_tasks int := dibs.count_of(p_done);
begin
  return jsonb_build_object('dry_run', false, 'tasks', v_tasks,
    'more', cardinality(p_found) = p_limit or v_tasks < cardinality(p_found),
    'sample', array(
      select dibs.id_of(task, hashint8extended(task, seed)) from dibs.id_seed, unnest(p_found) task
      where task <@ p_done limit 10));
end $$;
comment on function dibs.told(bigint[], int8multirange, int) is 'The answer of a call that was no dry run.';

select dibs.seal();
