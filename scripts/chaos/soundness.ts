import type { Sql } from "postgres";

/** What is wrong with the tables of tasks, in sentences: nothing, after every transaction. */
export async function findUnsound(sql: Sql): Promise<string[]> {
  const [violations] = await sql.unsafe(VIOLATIONS, [], { prepare: true });
  return Object.entries(violations)
    .filter(([, found]) => found !== null)
    .map(([violation, found]) => `${violation}: ${found}`);
}

/** Each column is null, or an example of what is wrong. */
const VIOLATIONS = `
with unfinished as (
  select 'ready' as name, part as run from dibs.ready, unnest(run) part
  union all select 'gated', part from dibs.gated, unnest(run) part
  union all select 'lease', part from dibs.lease, unnest(held) part
  union all select 'waiting', int8range(task, task + 1) from dibs.waiting
), place as (
  select * from unfinished
  union all select 'outcome', part from dibs.outcome, unnest(run) part
), logged as (
  select *, dibs.task_of(id) as task from dibs.log
), following as (
  select *, lead(run) over (order by lower(run), upper(run)) as next from place
)
select
  (select format('%s %s and %s', name, run, next) from following where upper(run) > lower(next) limit 1)
    as "a task is in two places",
  (select format('%s', task) from logged group by task having count(*) > 1 limit 1)
    as "two tasks have one number",
  (select format('%s', missing) from (
    select (select coalesce(range_agg(int8range(task, task + 1)), '{}') from logged)
      - (select coalesce(range_agg(run), '{}') from place) as missing) m where not isempty(missing))
    as "tasks are in no place",
  (select format('%s', unknown) from (
    select (select coalesce(range_agg(run), '{}') from place)
      - (select coalesce(range_agg(int8range(task, task + 1)), '{}') from logged) as unknown) u where not isempty(unknown))
    as "a place holds tasks that do not exist",
  (select format('%s', run) from (
      select run from dibs.ready union all select run from dibs.gated union all select run from dibs.outcome) r
    where isempty(run) or lower(run) >> 7 <> (upper(run) - 1) >> 7 limit 1)
    as "a run is empty or crosses a page",
  (select format('%s', fence) from dibs.lease where isempty(held) limit 1)
    as "a lease holds nothing",
  (select format('%s', r) from (
      select run, type, priority from dibs.ready union all select run, type, priority from dibs.gated) r
    join logged l on r.run @> l.task where (r.type, r.priority) <> (l.type, l.priority) limit 1)
    as "a task waits in a wrong lane",
  (select format('%s', p) from (
      select run, plain, true as in_ready from dibs.ready
      union all select run, plain, false from dibs.gated union all select held, plain, false from dibs.lease) p
    where plain and (exists (select from dibs.attempt a where p.run @> a.task)
      or exists (select from dibs.unique_key k where p.run @> k.task)
      or exists (select from dibs.dependency d where p.run @> d.task)
      or exists (select from dibs.task_key k where p.run @> k.task and (in_ready or k.order_key <> ''))) limit 1)
    as "what is called plain has a history, a key or dependencies",
  (select format('%s', r) from dibs.ready r where not exists (
    select from dibs.lane l where (l.type, l.priority) = (r.type, r.priority)) limit 1)
    as "a run waits in a lane nobody looks at",
  (select format('%s', k) from dibs.unique_key k where k.held_until is null and not exists (
    select from logged l join unfinished u on u.run @> l.task
    where l.task = k.task and (l.type, l.unique_key) = (k.type, k.key)) limit 1)
    as "a unique key belongs to no unfinished task",
  (select format('%s', l.id) from logged l join unfinished u on u.run @> l.task
    where l.unique_key is not null
      and not exists (select from dibs.unique_key k where k.task = l.task) limit 1)
    as "an unfinished task has lost its unique key",
  (select format('%s', w) from dibs.waiting w
    where not exists (select from dibs.dependency d where d.task = w.task and d.awaited) limit 1)
    as "a task waits for nothing",
  (select format('%s', d) from dibs.dependency d
    where d.awaited and not exists (select from dibs.waiting w where w.task = d.task) limit 1)
    as "a dependency is awaited by no task that waits",
  (select format('%s', d) from dibs.dependency d join dibs.outcome o on o.run @> d.parent
    where d.awaited and d.status is distinct from o.status
      and not exists (select from dibs.untold u where u.run @> d.parent) limit 1)
    as "a task was never told that another ended",
  (select format('%s', o) from dibs.in_order o
    where not exists (select from unfinished u where u.run @> o.task) limit 1)
    as "a task that has ended keeps others of its order key waiting",
  (select format('%s', k) from dibs.task_key k join unfinished u on u.run @> k.task
    where k.order_key <> '' and not exists (
      select from dibs.in_order o where (o.type, o.order_key, o.task) = (k.type, k.order_key, k.task)) limit 1)
    as "an unfinished task has lost its place in its order",
  (select format('%s', g) from dibs.gated g left join dibs.task_key k on g.run @> k.task
    where (g.key, g.order_key) <> (coalesce(k.key, ''), coalesce(k.order_key, '')) limit 1)
    as "a task waits at a wrong gate",
  (select format('%s', task) from dibs.attempt group by task having count(*) <> max(n) or min(n) <> 1 limit 1)
    as "the attempts of a task have a gap",
  (select format('%s %s, not %s', c.tasks, c.status, coalesce(n.tasks, 0))
    from public.task_counts() c left join (
      select status, sum(upper(run) - lower(run)) as tasks from (
        select case name when 'lease' then 'processing' else 'pending' end as status, run from unfinished
        union all select status, part from dibs.outcome, unnest(run) part) p
      group by status) n using (status)
    where c.tasks <> coalesce(n.tasks, 0) limit 1)
    as "a count of tasks is wrong",
  (select format('%s, not %s', (select count(*) from public.tasks), count(*)) from logged
    having count(*) <> (select count(*) from public.tasks))
    as "public.tasks has another number of rows than the log"`;
