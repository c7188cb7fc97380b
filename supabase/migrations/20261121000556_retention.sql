-- Retention: how long tasks stay once they have ended, and deleting those whose time is over.
--
-- dibs.prune, hourly, writes down up to when each type is to go, and begins; the ticks after it go on with what is
-- left, in batches. All of it touches ended tasks only, which no claim looks at, and steps over what others have
-- locked.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create table if not exists dibs.retention (
  type text primary key,
  keep interval check (keep >= '0 s'),
  keep_count bigint check (keep_count >= 0)
);
comment on table dibs.retention is
  'Types of tasks that stay for another time than settings.keep_ended_tasks says: how long after they have ended, and
how many at most. Null: no limit of that kind.';

create table if not exists dibs.pruning (
  type text primary key,
  before timestamptz not null,
  reached timestamptz not null default '-infinity'
);
comment on table dibs.pruning is
  'What is being deleted: tasks of a type that ended before a moment. reached: earlier ones are gone. Mostly empty.';

-- What is to stay ----------------------------------------------------------------------------------

create or replace function public.set_retention(
    p_type text, p_keep interval default null, p_keep_count bigint default null) returns void
  language plpgsql set search_path = '' as $$
begin
  perform dibs.check_label('p_type', p_type, 100);
  if p_keep < interval '0' then
    perform dibs.refuse('PT400', 'p_keep must not be negative', 'Give an interval such as 30 days.');
  elsif p_keep_count < 0 then
    perform dibs.refuse('PT400', 'p_keep_count must not be negative', 'Give a number of tasks.');
  end if;
  perform dibs.stop_pruning();
  insert into dibs.retention (type, keep, keep_count) values (p_type, p_keep, p_keep_count)
    on conflict (type) do update set keep = excluded.keep, keep_count = excluded.keep_count;
end $$;
comment on function public.set_retention(text, interval, bigint) is
  'Say how long tasks of a type stay once they have ended, instead of settings.keep_ended_tasks.
p_keep: so long, null for no limit. p_keep_count: the newest so many, null for no limit. With both, a task goes as
soon as either says so; with neither, tasks of the type stay for ever.
Errors: PT400 for bad input.';

create or replace function public.remove_retention(p_type text) returns boolean
  language plpgsql set search_path = '' as $$
begin
  perform dibs.check_label('p_type', p_type, 100);
  perform dibs.stop_pruning();
  delete from dibs.retention where type = p_type;
  return found;
end $$;
comment on function public.remove_retention(text) is
  'Let tasks of a type stay as long as settings.keep_ended_tasks says again. False when nothing else was said of it.
Errors: PT400 for bad input.';

create or replace function public.retention_rules() returns table (type text, keep interval, keep_count bigint)
  language sql stable set search_path = '' as $$
  (select null, s.keep_ended_tasks, null::bigint from dibs.settings s)
  union all
  (select r.type, r.keep, r.keep_count from dibs.retention r order by r.type)
$$;
comment on function public.retention_rules() is
  'What stays for how long. The first row, without a type, is settings.keep_ended_tasks, for all types that have no
row of their own.';

create or replace function dibs.stop_pruning() returns void
  language plpgsql set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('dibs.prune', 0));
  delete from dibs.pruning where true;
end $$;
comment on function dibs.stop_pruning() is
  'Delete nothing more of what was to go so far, before somebody says anew what is to stay. Waits for a batch that is
being deleted.';

-- What goes ----------------------------------------------------------------------------------------

create or replace function public.prune_tasks(p_keep interval) returns bigint
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_before timestamptz;
  v_until timestamptz := clock_timestamp() + interval '4 s';  -- calls of the data API may take 8
  v_type text;
  v_reached timestamptz;
  v_batch record;
  v_deleted bigint := 0;
begin
  if p_keep is null or p_keep < interval '0' then
    perform dibs.refuse('PT400', 'p_keep must be an interval of time, not negative');
  end if;
  v_before := dibs.moment_before(p_keep);
  foreach v_type in array array(select dibs.ended_types()) loop
    v_reached := '-infinity';
    loop
      v_batch := dibs.prune_batch(v_type, v_reached, v_before);
      exit when v_batch.deleted = 0;
      v_reached := v_batch.reached;
      v_deleted := v_deleted + v_batch.deleted;
      if clock_timestamp() > v_until then return v_deleted; end if;
    end loop;
  end loop;
  return v_deleted;
end $$;
comment on function public.prune_tasks(interval) is
  'Delete tasks of every type that ended longer ago than p_keep, with their history, whatever else was said of how
long they stay. Waits for nobody. After 4 seconds it leaves the rest.
Returns how many were deleted: call again until that is 0.
Errors: PT400 for a negative interval.';

create or replace function dibs.plan_pruning() returns void
  language plpgsql set search_path = '' as $$
begin
  delete from dibs.pruning where true;
  insert into dibs.pruning (type, before)
    select t.type, b.before
    from dibs.ended_types() t(type), lateral (select dibs.prune_before(t.type) as before offset 0) b
    where exists (select from dibs.outcome o where o.type = t.type and o.completed_at < b.before offset 0);
end $$;
comment on function dibs.plan_pruning() is 'Write down up to when each type is to be deleted now.';

create or replace function dibs.go_on_pruning(p_until timestamptz, p_plan boolean default false) returns bigint
  language plpgsql set search_path = '' as $$
declare
  v_sort boolean := exists (select from dibs.retention);
  v_pruning dibs.pruning;
  v_batch record;
  v_deleted bigint := 0;
begin
  if not (p_plan or v_sort or exists (select from dibs.pruning))
    or not pg_try_advisory_xact_lock(hashtextextended('dibs.prune', 0)) then return 0; end if;
  if v_sort then perform dibs.sort_ended(); end if;
  if p_plan then perform dibs.plan_pruning(); end if;
  loop
    select * into v_pruning from dibs.pruning order by type limit 1;
    exit when not found;
    v_batch := dibs.prune_batch(v_pruning.type, v_pruning.reached, v_pruning.before);
    if v_batch.deleted = 0 then
      delete from dibs.pruning where type = v_pruning.type;
    else
      update dibs.pruning set reached = v_batch.reached where type = v_pruning.type;
    end if;
    v_deleted := v_deleted + v_batch.deleted;
    exit when v_deleted > 0 and clock_timestamp() > p_until;
  end loop;
  return v_deleted;
end $$;
comment on function dibs.go_on_pruning(timestamptz, boolean) is
  'Delete what dibs.pruning says, a batch at least, until a moment. p_plan: after writing that down anew. Only one at a
time; nobody waits. Returns how many tasks were deleted.';

create or replace function dibs.prune_before(p_type text) returns timestamptz
  language plpgsql stable set search_path = '' as $$
declare
  v_rule dibs.retention;
  v_before timestamptz;
begin
  select * into v_rule from dibs.retention where type = p_type;
  if not found then
    -- Of which type the others are is not told yet; one of them may be one that stays.
    if p_type = '' and exists (select from dibs.retention) then return null; end if;
    v_rule.keep := (select keep_ended_tasks from dibs.settings);
  end if;
  v_before := dibs.moment_before(v_rule.keep);
  if v_rule.keep_count = 0 then return dibs.clock(); end if;
  return greatest(v_before, (
    select o.completed_at from (
      select completed_at, sum((select sum(upper(r) - lower(r)) from unnest(run) r))
        over (order by completed_at desc rows unbounded preceding) as newest
      from dibs.outcome where type = p_type
    ) o
    where v_rule.keep_count is not null and o.newest >= v_rule.keep_count order by o.completed_at desc limit 1));
end $$;
comment on function dibs.prune_before(text) is
  'Tasks of this type that ended before this moment are to go; null when none are. By count the moment is the one at
which the last of those that stay ended, and all that ended with it stay.';

create or replace function dibs.moment_before(p_keep interval) returns timestamptz
  language plpgsql stable set search_path = '' as $$
begin
  -- What is longer is meant for ever, and would be no date.
  return dibs.clock() - least(p_keep, interval '1000 years');
end $$;
comment on function dibs.moment_before(interval) is 'The moment so long ago; null for null.';

create or replace function dibs.ended_types() returns setof text
  language plpgsql stable set search_path = '' as $$
declare
  v_type text := (select min(o.type) from dibs.outcome o);
begin
  -- A look for each; distinct would read all.
  while v_type is not null loop
    return next v_type;
    v_type := (select min(o.type) from dibs.outcome o where o.type > v_type);
  end loop;
end $$;
comment on function dibs.ended_types() is
  'The types of which tasks have ended; '''' for those of which it is not noted.';

create or replace function dibs.prune_batch(
    p_type text, p_from timestamptz, p_before timestamptz, p_wanted int default 10000,
    out deleted bigint, out reached timestamptz)
  language plpgsql set search_path = '' as $$
declare
  v_look dibs.look := dibs.last_look();
  v_runs int := ceil(p_wanted / 128.0);  -- no run is longer
  v_found record;
  v_tasks int8multirange := '{}';
begin
  deleted := 0;
  reached := p_from;
  loop
    -- From where the last look ended: what it deleted is still there to step over.
    with due as materialized (
      select o.ctid as at, o.run, o.completed_at, o.status, o.made_by from dibs.outcome o
      where o.type = p_type and o.completed_at >= reached and o.completed_at < p_before
      order by o.completed_at limit v_runs for update skip locked
    ), gone as (
      delete from dibs.outcome where ctid = any (array(select at from due))
    ), corrected as (
      insert into dibs.correction (status, tasks, made_by)
      select d.status, -sum(dibs.count_of(d.run)), dibs.unless_seen(v_look, since, d.made_by, d.completed_at)
      from due d, dibs.unseen_since(v_look) since group by 1, 3
    )
    select count(*) as runs, range_agg(run) as tasks, max(completed_at) as reached into v_found from due;
    exit when v_found.runs = 0;
    v_tasks := v_tasks + v_found.tasks;
    reached := v_found.reached;
    deleted := dibs.count_of(v_tasks);
    exit when deleted >= p_wanted or v_found.runs < v_runs;
    v_runs := greatest(1, v_found.runs * (p_wanted - deleted) / dibs.count_of(v_found.tasks));
  end loop;
  perform dibs.forget(v_tasks);
end $$;
comment on function dibs.prune_batch(text, timestamptz, timestamptz, int) is
  'Delete some p_wanted tasks of a type that ended between two moments, those that ended first, and all that is kept of
them; fewer only when there are no more that nobody else has locked. Returns how many, and where to go on.';

create or replace function dibs.sort_ended() returns void
  language plpgsql set search_path = '' as $$
begin
  -- Whoever moves tasks by hand would miss what is taken out and put back meanwhile.
  if not exists (select from dibs.outcome where type = '')
    or not pg_try_advisory_xact_lock(hashtextextended('dibs.one_at_a_time', 0)) then return; end if;
  with mixed as materialized (
    select o.ctid as at, o.* from dibs.outcome o where o.type = '' order by o.completed_at limit 2000
    for update skip locked
  ), gone as (
    delete from dibs.outcome where ctid = any (array(select at from mixed))
  )
  insert into dibs.outcome (run, started_at, completed_at, fence, status, worker_id, type, made_by)
  select l.run, m.started_at, m.completed_at, m.fence, m.status, m.worker_id, l.type, m.made_by
  from mixed m,
    lateral (
      select t.type, range_agg(int8range(dibs.task_of(t.id), dibs.task_of(t.id) + 1)) as run
      from dibs.log_of(m.run) t group by t.type
    ) l;
end $$;
comment on function dibs.sort_ended() is
  'Note the type of ended tasks, oldest first, where that was not done as they ended: they were claimed together with
others, or ended by hand. Needed only where types stay for different times.';

select dibs.seal();
