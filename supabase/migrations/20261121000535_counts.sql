-- Counting tasks without reading history: what was there at the last look of the tick, and what came and went since.
--
-- Tasks, outcomes and attempts carry the transaction that made them (made_by), wherever they are moved. A look keeps
-- its snapshot: what that could see was counted, all else was not, however late it is committed. What is deleted leaves
-- a correction. So a count is one addition, true in any snapshot, and nobody waits for anybody.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create table if not exists dibs.look (
  n bigint primary key,
  at timestamptz not null,
  made_by xid8 not null,
  snapshot pg_snapshot not null,
  cluster bigint not null,
  task_number bigint not null,
  task_page bigint not null,
  enqueued bigint not null,
  completed bigint not null,
  failed bigint not null,
  cancelled bigint not null
);
comment on table dibs.look is
  'The last looks of the tick: how many tasks there were, and how many of them had ended how, as far as the snapshot
could see, but for what the looking transaction itself had done. task_number and task_page: up to where numbers were
drawn. cluster: snapshots of another one mean nothing, for instance after a restore. Older looks than the last say how
far back what was under way at the last may be.';

create table if not exists dibs.correction (
  status text not null,
  tasks bigint not null,
  made_by xid8
);
comment on table dibs.correction is
  'What changes the counts since the last look other than by something new, mostly deleted tasks: status is that of the
outcome, or enqueued for the task itself. made_by: counts only if what that transaction made was counted; null: it was.
The next look takes it in.';

create or replace function public.task_counts() returns table (status text, tasks bigint)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_count dibs.look := dibs.count_tasks(dibs.last_look());
  v_processing bigint := (select coalesce(sum(dibs.count_of(held)), 0) from dibs.lease);
begin
  return query values
    ('pending', v_count.enqueued - v_count.completed - v_count.failed - v_count.cancelled - v_processing),
    ('processing', v_processing),
    ('completed', v_count.completed),
    ('failed', v_count.failed),
    ('cancelled', v_count.cancelled);
end $$;
comment on function public.task_counts() is
  'How many tasks there are of each status: exact at every moment, in the time that it takes to count what was enqueued
and ended since the last tick, however many there are. Where nothing ticks all are counted.';

create or replace function dibs.count_tasks(p_look dibs.look, p_without xid8 default null) returns dibs.look
  language plpgsql stable set search_path = '' as $$
declare
  v_change record;
begin
  if p_look is null then return dibs.count_all_tasks(p_without); end if;
  for v_change in
    select c.status, sum(c.tasks)::bigint as tasks from (
      select 'enqueued' as status, count(*) as tasks from dibs.unseen_tasks(p_look, p_without)
      union all
      select o.status, upper(r) - lower(r) from dibs.unseen_outcomes(p_look, p_without) o, unnest(o.run) r
      union all
      select k.status, k.tasks from dibs.correction k
      where k.made_by is null or dibs.was_seen(p_look, k.made_by)
    ) c
    group by c.status
  loop
    case v_change.status
      when 'enqueued' then p_look.enqueued := p_look.enqueued + v_change.tasks;
      when 'completed' then p_look.completed := p_look.completed + v_change.tasks;
      when 'failed' then p_look.failed := p_look.failed + v_change.tasks;
      when 'cancelled' then p_look.cancelled := p_look.cancelled + v_change.tasks;
    end case;
  end loop;
  return p_look;
end $$;
comment on function dibs.count_tasks(dibs.look, xid8) is
  'The counts of a look, the last one, brought up to this snapshot; of none: all are counted. p_without: but for what
this transaction did.';

create or replace function dibs.count_all_tasks(p_without xid8) returns dibs.look
  language plpgsql stable set search_path = '' set enable_seqscan = on as $$
declare
  v_count dibs.look;
begin
  select count(*) into v_count.enqueued from dibs.log l where p_without is null or l.made_by <> p_without;
  select coalesce(sum(tasks) filter (where status = 'completed'), 0),
      coalesce(sum(tasks) filter (where status = 'failed'), 0),
      coalesce(sum(tasks) filter (where status = 'cancelled'), 0)
    into v_count.completed, v_count.failed, v_count.cancelled
    from (
      select o.status, upper(r) - lower(r) as tasks from dibs.outcome o, unnest(o.run) r
      where p_without is null or o.made_by <> p_without
    ) ended;
  return v_count;
end $$;
comment on function dibs.count_all_tasks(xid8) is 'Counts every task: before the first look, and after a restore.';

-- What the last look did not see -------------------------------------------------------------------

create or replace function dibs.last_look() returns dibs.look
  language plpgsql stable set search_path = '' as $$
begin
  return (
    select l from dibs.look l
    where l.cluster = (select system_identifier from pg_control_system()) order by l.n desc limit 1);
end $$;
comment on function dibs.last_look() is 'The last look; null where there is none, or none of this database cluster.';

create or replace function dibs.was_seen(p_look dibs.look, p_made_by xid8) returns boolean
  language plpgsql stable set search_path = '' as $$
begin
  -- Its own changes a transaction could see, but there may have been more of them afterwards.
  return pg_visible_in_snapshot(p_made_by, p_look.snapshot) and p_made_by <> p_look.made_by;
end $$;
comment on function dibs.was_seen(dibs.look, xid8) is 'Whether a look counted what this transaction did.';

create or replace function dibs.unseen_since(p_look dibs.look) returns dibs.look
  language plpgsql stable set search_path = '' as $$
declare
  v_oldest xid8 := (
    select x from (
      select pg_snapshot_xip(p_look.snapshot) as x
      union all
      -- A snapshot names none that began after the last one that had ended.
      select n::text::xid8
      from generate_series(pg_snapshot_xmax(p_look.snapshot)::text::bigint, p_look.made_by::text::bigint) n
    ) under_way
    where pg_visible_in_snapshot(x, pg_current_snapshot()) order by x limit 1);
  v_since dibs.look;
begin
  -- By number, not by an index on time: a look is made before any transaction with a higher number begins to write.
  select * into v_since from dibs.look l
    where l.made_by <= coalesce(v_oldest, p_look.made_by) and l.n <= p_look.n order by l.n desc limit 1;
  -- Clocks are read, and numbers drawn, a little before a transaction first writes.
  v_since.at := coalesce(v_since.at - interval '10 s', '-infinity');
  if v_since.n is null then
    v_since.task_number := 0;
    v_since.task_page := 0;
  else
    select l.task_number, l.task_page into v_since.task_number, v_since.task_page from (
      (select * from dibs.look where at <= v_since.at order by n desc limit 1)
      union all
      (select * from dibs.look order by n limit 1)
    ) l limit 1;
  end if;
  return v_since;
end $$;
comment on function dibs.unseen_since(dibs.look) is
  'How far back there can be anything that a look, the last one, did not see and this snapshot does: the time at which
it ended (at), and the numbers of tasks. Mostly the look itself, less ten seconds; further back only when a transaction
has ended that was under way at the look for longer.';

create or replace function dibs.unseen_outcomes(p_look dibs.look, p_without xid8 default null)
  returns setof dibs.outcome
  language plpgsql stable set search_path = '' as $$
declare
  v_since dibs.look := dibs.unseen_since(p_look);
begin
  return query
    select o.* from dibs.ended_types() t(type), lateral (
      select * from dibs.outcome o where o.type = t.type and o.completed_at >= v_since.at offset 0) o
    where not (pg_visible_in_snapshot(o.made_by, p_look.snapshot) and o.made_by <> p_look.made_by)
      and o.made_by is distinct from p_without;
end $$;
comment on function dibs.unseen_outcomes(dibs.look, xid8) is
  'The outcomes that a look, the last one, did not count. p_without: but for those of this transaction.';

create or replace function dibs.unseen_tasks(p_look dibs.look, p_without xid8 default null)
  returns table (type text, created_at timestamptz)
  language plpgsql stable set search_path = '' as $$
declare
  v_since dibs.look := dibs.unseen_since(p_look);
begin
  return query
    select l.type, l.created_at
    from (values
        (greatest(v_since.task_number, 0), 70368744177664),
        (greatest(v_since.task_page, 70368744177664), 140737488355328)
      ) drawn(first, past),
      lateral (
        select l.type, l.created_at, l.made_by from dibs.log l
        where l.id >= encode(int8send(drawn.first << 16) || int8send(0), 'hex')::uuid
          and l.id < encode(int8send(drawn.past << 16) || int8send(0), 'hex')::uuid
        offset 0
      ) l
    where not (pg_visible_in_snapshot(l.made_by, p_look.snapshot) and l.made_by <> p_look.made_by)
      and l.made_by is distinct from p_without;
end $$;
comment on function dibs.unseen_tasks(dibs.look, xid8) is
  'The tasks that a look, the last one, did not count. p_without: but for those of this transaction.';

-- Corrections --------------------------------------------------------------------------------------

create or replace function dibs.unless_seen(
    p_look dibs.look, p_since dibs.look, p_made_by xid8, p_completed_at timestamptz) returns xid8
  language plpgsql stable set search_path = '' as $$
begin
  if p_completed_at >= p_since.at and dibs.was_seen(p_look, p_made_by) is not true then return p_made_by; end if;
  return null;
end $$;
comment on function dibs.unless_seen(dibs.look, dibs.look, xid8, timestamptz) is
  'The transaction that made an outcome, unless that look, or one that was made meanwhile, has counted it for sure: then
null. p_since: what dibs.unseen_since says of the look.';

create or replace function dibs.unless_seen(p_look dibs.look, p_since dibs.look, p_made_by xid8, p_task bigint)
  returns xid8
  language plpgsql stable set search_path = '' as $$
begin
  if p_task >= (case when p_task < 70368744177664 then p_since.task_number else p_since.task_page end)
    and dibs.was_seen(p_look, p_made_by) is not true then return p_made_by; end if;
  return null;
end $$;
comment on function dibs.unless_seen(dibs.look, dibs.look, xid8, bigint) is 'The same for a task.';

create or replace function dibs.count_at_once(p_tasks int8multirange) returns void
  language plpgsql set search_path = '' as $$
begin
  with backdated as (
    -- The first transaction there can be, which every look has seen.
    update dibs.outcome set made_by = '3'
    where lower(run) >> 7 = any (array(select distinct lower(r) >> 7 from dibs.runs_of(p_tasks) r))
      and run <@ p_tasks
    returning status, run
  )
  insert into dibs.correction (status, tasks) select status, sum(dibs.count_of(run)) from backdated group by status;
end $$;
comment on function dibs.count_at_once(int8multirange) is
  'Count tasks whose outcome was dated back by hand, so that no look would find it. No rate shows them.';

select dibs.seal();
