-- Telling those that wait for tasks how these ended (505_dependencies.sql has the rule, and the tables).

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.is_awaited(p_tasks int8multirange) returns boolean
  language plpgsql set search_path = '' as $$
begin
  -- A transaction that is stricter cannot see who has begun to wait meanwhile.
  if current_setting('transaction_isolation') <> 'read committed' then return true; end if;
  return exists (
    -- A page at a time, as in dibs.histories_of.
    select from (
        select min(lower(r)) as first, max(upper(r)) as past from unnest(p_tasks) r group by lower(r) >> 7
      ) page,
      lateral (
        select from dibs.dependency d
        where d.awaited and d.parent >= page.first and d.parent < page.past and d.parent <@ p_tasks offset 0
      ) d);
end $$;
comment on function dibs.is_awaited(int8multirange) is
  'Whether others wait, or may wait, for one of these tasks: mostly one look into an empty index.';

create or replace function dibs.tell(p_tasks int8multirange, p_status text, p_late boolean default false)
  returns bigint[]
  language plpgsql set search_path = '' as $$
declare
  v_told bigint[] := '{}';
  v_left int8multirange := p_tasks;
begin
  if p_late or current_setting('transaction_isolation') = 'read committed' then
    v_told := array(
      select w.task from dibs.waiting w
      where w.task = any (array(select d.task from dibs.not_told(p_tasks, p_status) d))
      order by w.task limit 1000 for update skip locked);
    -- Touched, since a transaction that is stricter would not notice what it could lock, but sees as it was before.
    update dibs.waiting set run_at = run_at where task = any (v_told);
    update dibs.dependency d set status = p_status
      where d.ctid = any (array(select n.at from dibs.not_told(p_tasks, p_status) n where n.task = any (v_told)));
    v_left := (
      select range_agg(int8range(n.parent, n.parent + 1)) from dibs.not_told(p_tasks, p_status) n);
  end if;
  if v_left is not null then
    insert into dibs.untold (run, status) select run, p_status from dibs.runs_of(v_left) run;
  end if;
  return v_told;
end $$;
comment on function dibs.tell(int8multirange, text, boolean) is
  'Tell those that wait for these tasks how they ended: a thousand at most, and none whose row somebody else has. The
rest is left in untold. p_late: they ended in a transaction that was committed before this one looked.
Returns whom it told, whose rows are locked now.';

create or replace function dibs.not_told(p_tasks int8multirange, p_status text)
  returns table (at tid, task bigint, parent bigint)
  language plpgsql set search_path = '' as $$
begin
  return query
    select d.* from (
        select min(lower(r)) as first, max(upper(r)) as past from unnest(p_tasks) r group by lower(r) >> 7
      ) page,
      lateral (
        select d.ctid, d.task, d.parent from dibs.dependency d
        where d.awaited and d.parent >= page.first and d.parent < page.past and d.parent <@ p_tasks
          and d.status is distinct from p_status
        offset 0
      ) d;
end $$;
comment on function dibs.not_told(int8multirange, text) is
  'The dependencies on these tasks that do not know yet that they ended so.';

create or replace function dibs.decide(p_tasks bigint[]) returns void
  language plpgsql set search_path = '' as $$
declare
  v_cancelled int8multirange;
begin
  -- Not by calling itself: a chain may be longer than the stack is deep.
  loop
    v_cancelled := dibs.let_go(p_tasks);
    exit when isempty(v_cancelled);
    insert into dibs.outcome (run, completed_at, status)
      select run, dibs.clock(), 'cancelled' from dibs.runs_of(v_cancelled) run;
    perform dibs.free_keys(v_cancelled);
    exit when not dibs.is_awaited(v_cancelled);
    p_tasks := dibs.tell(v_cancelled, 'cancelled');
  end loop;
end $$;
comment on function dibs.decide(bigint[]) is
  'Decide about tasks whose rows in waiting this transaction has: run, be cancelled, in which case those that wait for
them are told in turn, or wait on.';

create or replace function dibs.let_go(p_tasks bigint[]) returns int8multirange
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_run bigint[];
  v_cancelled bigint[];
  v_soonest timestamptz;
  v_types text[];
begin
  select array_agg(task) filter (where run), array_agg(task) filter (where cancelled and not run)
    into v_run, v_cancelled
    from (
      select w.task, case w.mode when 'all' then bool_and(d.met) else bool_or(d.met) end as run,
        case w.mode when 'all' then bool_or(d.missed) else bool_and(d.missed) end as cancelled
      from unnest(p_tasks) told(task) join dibs.waiting w on w.task = told.task,
        lateral (
          select d.status is not null and (d.status = 'completed' or w.on_parent_failure = 'run') as met,
            d.status is not null and d.status <> 'completed' and w.on_parent_failure = 'cancel' as missed
          from dibs.dependency d where d.task = w.task offset 0
        ) d
      group by w.task, w.mode
    ) w;
  if v_run is null and v_cancelled is null then return '{}'; end if;
  update dibs.dependency set awaited = false where task = any (v_run || v_cancelled);
  with gone as (
    delete from dibs.waiting where task = any (v_run || v_cancelled) returning *
  ), ready as (
    -- Never before now, so that nothing lies behind a hint.
    insert into dibs.ready (type, priority, run_at, run)
    select l.type, l.priority, greatest(g.run_at, v_now), dibs.runs_of(range_agg(int8range(g.task, g.task + 1)))
    from gone g, lateral dibs.log_of(int8multirange(int8range(g.task, g.task + 1))) l
    where g.task = any (v_run)
    group by 1, 2, 3
    returning type, run_at
  )
  select min(run_at), array_agg(distinct type) into v_soonest, v_types from ready;
  if v_types is not null then perform dibs.wake(v_soonest, v_types); end if;
  return (select coalesce(range_agg(int8range(task, task + 1)), '{}') from unnest(v_cancelled) task);
end $$;
comment on function dibs.let_go(bigint[]) is
  'Make those ready that have what they wait for. Returns those that are to be cancelled, which wait no more either.';

create or replace function dibs.tell_late() returns void
  language plpgsql set search_path = '' as $$
declare
  v_late dibs.untold;
  v_ended record;
begin
  for v_late in
    delete from dibs.untold where ctid = any (array(
      select ctid from dibs.untold where ended_by is distinct from pg_current_xact_id_if_assigned()
      for update skip locked))
    returning *
  loop
    -- It may have another outcome by now; and none when it runs once more, or was pruned.
    for v_ended in
      select o.run * v_late.run as run, o.status from dibs.outcome o
      where lower(o.run) >> 7 = lower(v_late.run) >> 7 and o.run && v_late.run
    loop
      perform dibs.decide(dibs.tell(v_ended.run, v_ended.status, p_late => true));
      v_late.run := v_late.run - v_ended.run;
    end loop;
    perform dibs.decide(dibs.tell(v_late.run, v_late.status, p_late => true));
  end loop;
end $$;
comment on function dibs.tell_late() is
  'Tell what could not be told when it happened. For claims that find nothing, and for the tick; waits for nobody.';

create or replace function dibs.stop_waiting(p_tasks int8multirange) returns int8multirange
  language plpgsql set search_path = '' as $$
declare
  v_stopped bigint[] := array(
    select w.task from unnest(p_tasks) r,
      lateral (select task from dibs.waiting where task >= lower(r) and task < upper(r) offset 0) w
    order by w.task);
begin
  if v_stopped = '{}' then return '{}'; end if;
  v_stopped := array(select task from dibs.waiting where task = any (v_stopped) order by task for update);
  delete from dibs.waiting where task = any (v_stopped);
  update dibs.dependency set awaited = false where task = any (v_stopped);
  return (select coalesce(range_agg(int8range(task, task + 1)), '{}') from unnest(v_stopped) task);
end $$;
comment on function dibs.stop_waiting(int8multirange) is
  'Take those of these tasks that wait for others out of there. Returns them; the caller puts them somewhere else.';

select dibs.seal();
