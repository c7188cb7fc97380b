-- Dependencies: tasks that wait until others, their parents, have ended.
--
--   waiting ── its parents have ended ──▶ ready, or cancelled
--
-- A task that waits has a row in `waiting` and one in `dependency` for each of its parents. Whoever ends a task tells
-- those that wait for it: notes the outcome in their dependencies, then decides about them. Both only under the lock
-- of their row in `waiting`, which nobody waits for: what could not be told goes into `untold`, for whoever is next.
--
-- The whole rule: a parent counts by the last outcome it had. It is met when it completed (on_parent_failure run: when
-- it ended), missed when it failed for good or was cancelled (on_parent_failure cancel only). mode all: run when all
-- are met, cancelled when one is missed. mode any: run when one is met, cancelled when all are missed.
--
-- Before tasks are enqueued, claimed and settled (510 to 540), all of which have a line for these.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create table if not exists dibs.waiting (
  task bigint primary key,
  run_at timestamptz not null,
  mode text not null constraint mode_is_known check (mode in ('all', 'any')),
  on_parent_failure text not null constraint policy_is_known check (on_parent_failure in ('cancel', 'run', 'wait'))
);
comment on table dibs.waiting is
  'Tasks that wait for others: what lets them run, and from when on at the earliest. Their fourth place, beside ready,
lease and outcome.';

create table if not exists dibs.dependency (
  task bigint not null,
  parent bigint not null,
  place int not null,
  status text,
  awaited boolean not null default true,
  primary key (task, parent)
);
comment on table dibs.dependency is
  'What tasks wait for, or waited for: place is that in depends_on, status the last outcome of the parent that the task
was told. awaited: the task still waits, for this parent or another.';
do $$
begin
  if to_regclass('dibs.dependency_awaited') is null then
    create index dependency_awaited on dibs.dependency (parent) where awaited;
  end if;
end $$;

create table if not exists dibs.untold (
  run int8multirange not null,
  status text not null,
  ended_by xid8 not null default pg_current_xact_id()
);
comment on table dibs.untold is
  'Tasks that ended, while some that wait for them could not be told, since somebody else had their row. Mostly empty.';

-- Beginning to wait --------------------------------------------------------------------------------

create or replace function dibs.is_depends_on(p_value jsonb) returns boolean
  language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_typeof(p_value) = 'array' and jsonb_array_length(p_value) <= 1000 and not exists (
    select from jsonb_array_elements(p_value) parent
    where case jsonb_typeof(parent)
      when 'string' then parent #>> '{}' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
      when 'number' then parent::text !~ '^\d{1,3}$'
      else true end);
end $$;
comment on function dibs.is_depends_on(jsonb) is
  'Whether this can be what a task depends on: at most 1000 ids of tasks, or places in the list, counted from 0.';

create or replace function dibs.put_waiting(p_task bigint, p_run_at timestamptz, p_extras jsonb) returns boolean
  language plpgsql set search_path = '' as $$
begin
  if p_extras -> 'depends_on' in ('[]', 'null') then return false; end if;
  insert into dibs.waiting (task, run_at, mode, on_parent_failure)
    values (p_task, p_run_at, coalesce(p_extras ->> 'depends_mode', 'all'),
      coalesce(p_extras ->> 'on_parent_failure', 'cancel'));
  return true;
end $$;
comment on function dibs.put_waiting(bigint, timestamptz, jsonb) is
  'Let a new task wait rather than be ready; dibs.depend says for what, in the same transaction. False when it depends
on none.';

create or replace function dibs.depend(p_path text, p_tasks jsonb, p_ids uuid[], p_deduplicated boolean[]) returns void
  language plpgsql set search_path = '' as $$
declare
  v_wanted record;
  v_nowhere int8multirange;
  v_unknown record;
begin
  select array_agg(dibs.task_of(p_ids[w.place + 1])) as tasks, array_agg(dibs.task_of(w.parent)) as parents,
      array_agg(w.at) as places, array_agg(w.place) as listed, array_agg(w.ref) as refs
    into v_wanted
    from (
      select t.place - 1 as place, p.at - 1 as at, p.ref, case jsonb_typeof(p.ref)
          when 'number' then case when p.ref::text::int < t.place - 1 then p_ids[p.ref::text::int + 1] end
          else (select l.id from dibs.log l where l.id = (p.ref #>> '{}')::uuid) end as parent
      from jsonb_array_elements(p_tasks) with ordinality t(task, place),
        lateral jsonb_array_elements(coalesce(nullif(t.task -> 'depends_on', 'null'), '[]')) with ordinality p(ref, at)
      where not p_deduplicated[t.place]
      order by t.place, p.at
    ) w;
  v_nowhere := dibs.keep_in_place(
    (select range_agg(int8range(parent, parent + 1)) from unnest(v_wanted.parents) parent where parent is not null));
  select * into v_unknown from unnest(v_wanted.listed, v_wanted.places, v_wanted.refs, v_wanted.parents)
    as w(listed, at, ref, parent) where parent is null or parent <@ v_nowhere limit 1;
  if found then
    p_path := replace(p_path, '*', v_unknown.listed::text) || '.depends_on[' || v_unknown.at || ']';
    if jsonb_typeof(v_unknown.ref) = 'number' then
      perform dibs.refuse('PT400', p_path || ' is not the place of an earlier task of the list',
        'Places count from 0. A task can wait for earlier ones only, so that none waits for itself in a circle.');
    else
      perform dibs.refuse('PT400', p_path || ' is not the id of a task',
        'Nothing can wait for a task that was pruned.');
    end if;
  end if;
  insert into dibs.dependency (task, parent, place, status)
    select w.task, w.parent, w.place, (
      select o.status from dibs.outcome o where lower(o.run) >> 7 = w.parent >> 7 and o.run @> w.parent)
    from (
      select task, parent, min(place) as place
      from unnest(v_wanted.tasks, v_wanted.parents, v_wanted.places) as w(task, parent, place) group by task, parent
    ) w;
  perform dibs.decide(array(select distinct unnest(v_wanted.tasks)));
end $$;
comment on function dibs.depend(text, jsonb, uuid[], boolean[]) is
  'Note what the new tasks of a list depend on, and let those go that need not wait. The caller has
dibs.one_at_a_time(p_single => true), taken before anything else.
p_path: of a task of the list, * for its place. p_ids, p_deduplicated: what became of each.
Errors: PT400 for a parent that there is not.';

create or replace function dibs.keep_in_place(p_tasks int8multirange) returns int8multirange
  language plpgsql set search_path = '' as $$
begin
  -- More than one look, since a task may move meanwhile. What is locked neither moves nor ends.
  for v_look in 1..100 loop
    exit when p_tasks is null or isempty(p_tasks);
    p_tasks := p_tasks - (
      select coalesce(range_agg(int8range(task, task + 1)), '{}') from (
        select w.task from dibs.waiting w
        where w.task = any (array(select generate_series(lower(r), upper(r) - 1) from unnest(p_tasks) r))
        order by w.task for share) w);
    p_tasks := p_tasks - (
      select coalesce(range_agg(r.run), '{}') from (
        select run from dibs.ready
        where lower(run) >> 7 = any (array(select distinct lower(r) >> 7 from dibs.runs_of(p_tasks) r))
          and run && p_tasks
        order by lower(run) for share) r);
    p_tasks := p_tasks - (
      select coalesce(range_agg(g.run), '{}') from (
        select run from dibs.gated
        where lower(run) >> 7 = any (array(select distinct lower(r) >> 7 from dibs.runs_of(p_tasks) r))
          and run && p_tasks
        order by lower(run) for share) g);
    p_tasks := p_tasks - (
      select coalesce(range_agg(l.held), '{}') from (
        select held from dibs.lease where held && p_tasks order by fence for share) l);
    p_tasks := p_tasks - (
      select coalesce(range_agg(o.run), '{}') from (
        select run from dibs.outcome
        where lower(run) >> 7 = any (array(select distinct lower(r) >> 7 from dibs.runs_of(p_tasks) r))
          and run && p_tasks
        order by lower(run) for share) o);
  end loop;
  return coalesce(p_tasks, '{}');
end $$;
comment on function dibs.keep_in_place(int8multirange) is
  'Let tasks neither begin nor end until this transaction has: who ends them then sees who waits for them. Claims pass
by, reapers too; their workers wait. Returns those that are in no place.';

-- What came of parents -----------------------------------------------------------------------------

create or replace function dibs.dependencies_of(p_tasks int8multirange) returns table (task bigint, dependencies jsonb)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select d.task, jsonb_agg(
      jsonb_build_object('id', p.id, 'status', coalesce(
          (select o.status from dibs.outcome o where lower(o.run) >> 7 = d.parent >> 7 and o.run @> d.parent),
          case when not exists (select from dibs.log l where l.id = p.id) then d.status end, 'pending'),
        'result', (select r.result from dibs.result r where r.task = d.parent))
      order by d.place)
    from (
        select min(lower(r)) as first, max(upper(r)) as past from unnest(p_tasks) r group by lower(r) >> 7
      ) page,
      lateral (
        select * from dibs.dependency d
        where d.task >= page.first and d.task < page.past and d.task <@ p_tasks offset 0
      ) d,
      lateral (
        select dibs.id_of(d.parent, hashint8extended(d.parent, (select seed from dibs.id_seed))) as id offset 0
      ) p
    group by d.task;
end $$;
comment on function dibs.dependencies_of(int8multirange) is
  'For those of these tasks that depend on others: [{id, status, result}], as of now. status pending: has not ended.
Of a parent that was pruned, the status it had, and no result.';

create or replace function public.task_dependencies(p_id uuid)
  returns table (id uuid, status text, result jsonb, awaited boolean)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_task bigint := dibs.task_of(p_id);
begin
  return query
    select (d ->> 'id')::uuid, d ->> 'status', nullif(d -> 'result', 'null'),
      exists (select from dibs.waiting w where w.task = v_task)
    from dibs.dependencies_of(int8multirange(int8range(v_task, v_task + 1))) t,
      jsonb_array_elements(t.dependencies) with ordinality u(d, place)
    order by place;
end $$;
comment on function public.task_dependencies(uuid) is
  'What a task depends on, in the order of its depends_on: id, status (pending: has not ended) and result of each, and
whether the task still waits.';

select dibs.seal();
