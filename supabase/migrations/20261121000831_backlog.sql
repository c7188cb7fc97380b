-- What waits, type by type and key by key.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.task_backlog(p_type text default null)
  returns table (
    type text, key text, due bigint, later bigint, more boolean, oldest_due_at timestamptz, running bigint)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
  return query
    select b.type, b.key, b.due, b.later, b.more, b.oldest_due_at, b.running
    from (
      select * from dibs.backlog_by_type() where p_type is null
      union all select * from dibs.backlog_by_key(p_type) where p_type is not null
    ) b
    where b.due + b.later + b.running > 0
    order by b.due desc, b.running desc, b.later desc, b.type, b.key nulls first limit 1000;
end $$;
comment on function public.task_backlog(text) is
  'What waits, and what runs: a row per type, or, of one type, a row per key (null: of tasks without one), the longest
backlog first, at most 1000.
due: could be claimed as far as time goes. later: not due yet. more: these are the first 10000 entries looked at, and
there are more, so due and later are at least so many. oldest_due_at: since when the oldest of the due ones is.
running: leased. Tasks that wait for others are not in it.
p_type: which type, null for all.';

create or replace function dibs.backlog_by_type()
  returns table (
    type text, key text, due bigint, later bigint, more boolean, oldest_due_at timestamptz, running bigint)
  language plpgsql stable set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
begin
  return query
    select t.type, null::text, w.due, w.later, w.more, o.oldest_due_at, coalesce(h.running, 0)
    from (select distinct l.type from dibs.lane l where l.type <> '') t
      cross join lateral (
        select coalesce(sum(p.tasks) filter (where p.run_at <= v_now), 0)::bigint as due,
          coalesce(sum(p.tasks) filter (where p.run_at > v_now), 0)::bigint as later,
          bool_or(p.nth > 10000) is true as more
        from dibs.placed_of(t.type) p
      ) w
      cross join lateral (
        select min(first.run_at) as oldest_due_at
        from dibs.lane l, lateral (
          (select r.run_at from dibs.ready r where r.type = l.type and r.priority = l.priority
            order by r.run_at limit 1)
          union all
          (select g.run_at from dibs.gated g where g.type = l.type and g.priority = l.priority
            order by g.run_at limit 1)
        ) first
        where l.type = t.type and first.run_at <= v_now
      ) o
      left join (
        select u.type, count(*) as running from dibs.lease l, dibs.log_of(l.held) u where l.type = '' group by u.type
      ) mixed on mixed.type = t.type
      cross join lateral (
        select coalesce(sum(dibs.count_of(l.held)), 0)::bigint + coalesce(mixed.running, 0) as running
        from dibs.lease l where l.type = t.type
      ) h;
end $$;
comment on function dibs.backlog_by_type() is 'What task_backlog answers of all types, those without any among them.';

create or replace function dibs.backlog_by_key(p_type text)
  returns table (
    type text, key text, due bigint, later bigint, more boolean, oldest_due_at timestamptz, running bigint)
  language plpgsql stable set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
begin
  return query
    with placed as materialized (
      select * from dibs.placed_of(p_type)
      union all
      select null, h.held, dibs.count_of(h.held), null
      from dibs.lease l, lateral (
        select case when l.type <> '' then l.held else (
          select range_agg(int8range(dibs.task_of(t.id), dibs.task_of(t.id) + 1))
          from dibs.log_of(l.held) t where t.type = p_type) end as held offset 0
      ) h
      where l.type in (p_type, '') and h.held is not null
    ), keyed as materialized (
      select p.run_at, p.tasks, array(
        select t.key from unnest(p.run) r,
          lateral (
            select k.key from dibs.task_key k
            where k.task >= lower(r) and k.task < upper(r) and k.key <> '' offset 0
          ) t) as keys
      from placed p
    )
    select p_type, nullif(k.key, ''), coalesce(sum(k.tasks) filter (where k.run_at <= v_now), 0)::bigint,
      coalesce(sum(k.tasks) filter (where k.run_at > v_now), 0)::bigint,
      exists (select from placed p where p.nth > 10000), min(k.run_at) filter (where k.run_at <= v_now),
      coalesce(sum(k.tasks) filter (where k.run_at is null), 0)::bigint
    from (
      select p.run_at, '' as key, p.tasks - cardinality(p.keys) as tasks from keyed p
      where p.tasks > cardinality(p.keys)
      union all select p.run_at, unnest(p.keys), 1 from keyed p
    ) k
    group by k.key;
end $$;
comment on function dibs.backlog_by_key(text) is 'What task_backlog answers of one type.';

create or replace function dibs.placed_of(p_type text)
  returns table (run_at timestamptz, run int8multirange, tasks bigint, nth bigint)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select p.run_at, p.run, (select sum(upper(r) - lower(r)) from unnest(p.run) r)::bigint, p.nth
    from (
      (select r.run_at, r.run, row_number() over () as nth from dibs.ready r where r.type = p_type limit 10001)
      union all
      (select g.run_at, g.run, row_number() over () from dibs.gated g where g.type = p_type limit 10001)
    ) p;
end $$;
comment on function dibs.placed_of(text) is
  'Where tasks of a type wait, at gates and elsewhere, how many in each place, and the number of the place: it ends
with the 10001st of either.';

select dibs.seal();
