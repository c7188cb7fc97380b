-- Finding tasks to look at them, page by page, whatever is asked and however many there are.
--
-- Where tasks wait, and where they ended, is indexed by type and moment. So the newest runs of each type are looked
-- at, from the newest on, and of those the tasks that fit. What no index knows, such as a payload, is looked for among
-- so many tasks a call, and the next call goes on from there.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.find_tasks(
    p_filter jsonb default '{}', p_limit int default 50, p_before text default null)
  returns table (
    id uuid, type text, status text, key text, order_key text, priority smallint, attempts int, max_attempts int,
    created_at timestamptz, run_at timestamptz, started_at timestamptz, completed_at timestamptz, worker_id text,
    error text, cursor text)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_statuses text[] := '{pending,processing,completed,failed,cancelled}';
  v_before bigint[] := string_to_array(coalesce(p_before, ''), '-');
  v_conditions text;
begin
  perform dibs.check_filter(p_filter, v_statuses, p_may_be_empty => true),
    dibs.check_between('p_limit', p_limit, 1, 1000);
  if p_before !~ '^\d{1,18}-\d{1,18}-\d{1,18}$' then
    perform dibs.refuse('PT400', 'p_before must be the cursor of a row', 'Send back that of the last row you got.');
  end if;
  v_conditions := coalesce((
    select string_agg(dibs.filter_condition(f.key, value, v_statuses), ' and ' order by f.key)
    from jsonb_each(p_filter) f), 'true');
  return query execute format($query$
    with run as materialized (
      select * from dibs.%1$s
    ), fits as materialized (
      select * from (
        -- dibs.task_of and dibs.log_of written out, as wherever many are asked for.
        select r.status, r.at, r.first, r.started_at, r.completed_at, r.worker_id,
          ('x' || encode(substr(uuid_send(l.id), 1, 6), 'hex'))::bit(48)::bigint as task, l.id, l.type, l.payload,
          l.priority, l.max_attempts, l.unique_key, l.created_at, coalesce(r.run_at, l.run_at) as run_at
        from run r, unnest(r.run) part,
          lateral (
            select * from dibs.log l
            where l.id >= encode(int8send(lower(part) << 16) || int8send(0), 'hex')::uuid
              and l.id < encode(int8send(upper(part) << 16) || int8send(0), 'hex')::uuid
            offset 0
          ) l
      ) t
      where (at, first, task) < ($1, $2, $3) and %2$s
      order by at desc, first desc, task desc limit $4
    )
    select f.id, f.type, f.status, nullif(k.key, ''), nullif(k.order_key, ''), f.priority,
      coalesce(h.failures + h.losses, 0) + (f.status in ('processing', 'completed'))::int, f.max_attempts::int,
      f.created_at, f.run_at, f.started_at, f.completed_at, f.worker_id,
      case when f.status <> 'completed' then (
        select a.error from dibs.attempt a where a.task = f.task order by a.n desc limit 1) end,
      dibs.cursor_of(f.at, f.first, f.task)
    from (
      select *, row_number() over (order by at desc, first desc, task desc) as nth from fits
      -- There is more to look at, and nothing else that would say from where on.
      union all
      select null, at, first, null, null, null, 0, null, null, null, null, null, null, null, null, 1001
      from (select * from run order by at, first limit 1) last
      where (select count(*) from fits) < $4 and (select bool_or(more) from run)
    ) f
    left join lateral (select * from dibs.history_of(f.task) where f.id is not null) h on true
    left join dibs.task_key k on k.task = f.task
    order by f.nth$query$,
    case when p_filter ? 'ids' then 'runs_named(array(select jsonb_array_elements_text($5 -> ''ids''))::uuid[])'
      else 'newest_runs($5, $1, $2, $4)' end,
    v_conditions)
  using coalesce('epoch'::timestamptz + v_before[1] * interval '1 microsecond', 'infinity'),
    coalesce(v_before[2], 9223372036854775807), coalesce(v_before[3], 9223372036854775807), p_limit, p_filter;
end $$;
comment on function public.find_tasks(jsonb, int, text) is
  'Tasks that fit a filter, the newest first: by when they ended, were claimed, or are due.
p_filter: as in cancel_tasks_where, and may be empty; statuses may also name completed. p_limit: at most so many, 1 to
1000. p_before: the cursor of the last row brings the next page.
A call looks at some thousands of tasks. Where fewer than p_limit of them fit and there are more, a last row has nothing
but a cursor, id null: go on from there.
Errors: PT400 for bad input.';

create or replace function dibs.cursor_of(p_at timestamptz, p_first bigint, p_task bigint) returns text
  language plpgsql immutable set search_path = '' as $$
begin
  return (extract(epoch from p_at) * 1000000)::bigint || '-' || p_first || '-' || p_task;
end $$;
comment on function dibs.cursor_of(timestamptz, bigint, bigint) is
  'Where a task stands in the order of find_tasks: its moment, the first task of its run, its number.';

-- Where to look ------------------------------------------------------------------------------------

do $$
begin
  if to_regtype('dibs.found_run') is null then
    create type dibs.found_run as (
      status text, at timestamptz, first bigint, run int8multirange, run_at timestamptz, started_at timestamptz,
      completed_at timestamptz, worker_id text, more boolean);
  end if;
end $$;
comment on type dibs.found_run is
  'Tasks that are in one place, alike: at is when they are due, were claimed or ended; first the first of them. run_at
null: that of the log. more: others come after those that were found.';

create or replace function dibs.newest_runs(p_filter jsonb, p_at timestamptz, p_first bigint, p_limit int)
  returns setof dibs.found_run
  language plpgsql stable set search_path = '' as $$
declare
  v_statuses text[] := case when p_filter ? 'statuses' then dibs.texts_of(p_filter -> 'statuses')
    else '{pending,processing,completed,failed,cancelled}' end;
  v_types text[] := case when p_filter ? 'types' then dibs.texts_of(p_filter -> 'types') end;
  -- What the index tells need not be looked for: each run has a task at least.
  v_runs int := case when p_filter - 'statuses' = '{}' then p_limit + 1 else 500 + p_limit end;
begin
  return query
    select n.status, n.at, n.first, n.run, n.run_at, n.started_at, n.completed_at, n.worker_id,
      n.runs = v_runs or n.last_before >= 5000
    from (
      select o.*, count(*) over () as runs, max(o.before) over () as last_before
      from (
        select p.*, sum(p.tasks) over (order by p.at desc, p.first desc rows unbounded preceding) - p.tasks as before
        from (
        select p.*, (select sum(upper(r) - lower(r)) from unnest(p.run) r) as tasks
        from (
            select 'pending' as status, r.run_at as at, lower(r.run) as first, r.run, r.run_at,
              null::timestamptz as started_at, null::timestamptz as completed_at, null::text as worker_id
            from dibs.lane l, lateral (
              select r.run_at, r.run from dibs.ready r
              where r.priority = l.priority and (r.run_at, lower(r.run)) <= (p_at, p_first)
              order by r.run_at desc, lower(r.run) desc limit v_runs) r
            where 'pending' = any (v_statuses) and v_types is null and l.type = ''
          union all
            -- In such an order that only the index by type has it.
            select 'pending', r.run_at, lower(r.run), r.run, r.run_at, null, null, null
            from dibs.lane l, lateral (
              select r.run_at, r.run from dibs.ready r
              where (r.type, r.priority) >= (l.type, l.priority)
                and (r.type, r.priority, r.run_at, lower(r.run)) <= (l.type, l.priority, p_at, p_first)
              order by r.type desc, r.priority desc, r.run_at desc, lower(r.run) desc limit v_runs) r
            where 'pending' = any (v_statuses) and l.type = any (v_types)
          union all
            select 'pending', g.run_at, lower(g.run), g.run, g.run_at, null, null, null
            from dibs.lane l, lateral (
              select g.run_at, g.run from dibs.gated g
              where g.type = l.type and g.priority = l.priority and g.run_at <= p_at
                and (g.run_at, lower(g.run)) <= (p_at, p_first)
              order by g.run_at desc, lower(g.run) desc limit v_runs) g
            where 'pending' = any (v_statuses) and (v_types is null or l.type = any (v_types))
          union all (
            select 'pending', w.run_at, w.task, int8multirange(int8range(w.task, w.task + 1)), w.run_at, null, null,
              null
            from dibs.waiting w
            where 'pending' = any (v_statuses) and (w.run_at, w.task) <= (p_at, p_first)
            order by w.run_at desc, w.task desc limit v_runs)
          union all (
            select 'processing', l.started_at, lower(l.held), l.held, null, l.started_at, null, l.worker_id
            from dibs.lease l
            where 'processing' = any (v_statuses) and (v_types is null or l.type = any (v_types || ''::text))
              and (l.started_at, lower(l.held)) <= (p_at, p_first)
            order by l.started_at desc, lower(l.held) desc limit v_runs)
          union all
            -- Several types in one lease, and what was ended by hand, have the type ''.
            select o.status, o.completed_at, lower(o.run), o.run, null, o.started_at, o.completed_at, o.worker_id
            from (
              select unnest(v_types || ''::text) as type where v_types is not null
              union all select dibs.ended_types() where v_types is null
            ) t, lateral (
              select * from dibs.outcome o
              where o.type = t.type and o.completed_at <= p_at and (o.completed_at, lower(o.run)) <= (p_at, p_first)
                and o.status = any (v_statuses)
              order by o.completed_at desc, lower(o.run) desc limit v_runs) o
            where 'completed' = any (v_statuses)
          union all
            -- Without the completed ones by an index that has no others.
            select o.status, o.completed_at, lower(o.run), o.run, null, o.started_at, o.completed_at, o.worker_id
            from unnest(v_statuses) s, lateral (
              select * from dibs.outcome o
              where o.status = s and o.status <> 'completed' and o.completed_at <= p_at
                and (o.completed_at, lower(o.run)) <= (p_at, p_first)
                and (v_types is null or o.type = any (v_types || ''::text))
              order by o.completed_at desc, lower(o.run) desc limit v_runs) o
            where s in ('failed', 'cancelled') and not 'completed' = any (v_statuses)
        ) p
        order by p.at desc, p.first desc limit v_runs
        ) p
      ) o
    ) n
    where n.before < 5000;
end $$;
comment on function dibs.newest_runs(jsonb, timestamptz, bigint, int) is
  'The newest runs of the statuses and types of a filter from a place in the order of find_tasks on: some five
hundred, or five thousand tasks; p_limit where nothing but a status is asked.';

create or replace function dibs.runs_named(p_ids uuid[]) returns setof dibs.found_run
  language plpgsql stable set search_path = '' as $$
declare
  v_tasks int8multirange := dibs.tasks_of(p_ids);
  v_pages bigint[] := array(select distinct lower(r) >> 7 from dibs.runs_of(v_tasks) r);
begin
  return query
    select p.status, p.at, lower(p.run), p.run * v_tasks, p.run_at, p.started_at, p.completed_at, p.worker_id, false
    from (
        select 'pending' as status, r.run_at as at, r.run, r.run_at, null::timestamptz as started_at,
          null::timestamptz as completed_at, null::text as worker_id
        from unnest(v_pages) page, lateral (select * from dibs.ready r where lower(r.run) >> 7 = page offset 0) r
      union all
        select 'pending', g.run_at, g.run, g.run_at, null, null, null
        from unnest(v_pages) page, lateral (select * from dibs.gated g where lower(g.run) >> 7 = page offset 0) g
      union all
        select 'pending', w.run_at, int8multirange(int8range(w.task, w.task + 1)), w.run_at, null, null, null
        from dibs.tasks_in(v_tasks) task, lateral (select * from dibs.waiting w where w.task = task.task offset 0) w
      union all
        select 'processing', l.started_at, l.held, null, l.started_at, null, l.worker_id
        from dibs.lease l where l.held && v_tasks
      union all
        select o.status, o.completed_at, o.run, null, o.started_at, o.completed_at, o.worker_id
        from unnest(v_pages) page, lateral (select * from dibs.outcome o where lower(o.run) >> 7 = page offset 0) o
    ) p
    where p.run && v_tasks;
end $$;
comment on function dibs.runs_named(uuid[]) is
  'Where the tasks with these ids are, up to 1000; unknown ids are left out.';

-- The life of one ----------------------------------------------------------------------------------

create or replace function public.task_timeline(p_id uuid)
  returns table (at timestamptz, event text, worker_id text, attempt int, detail jsonb)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_task bigint := dibs.task_of(p_id);
  v_last int := coalesce((select max(a.n) from dibs.attempt a where a.task = v_task), 0);
begin
  if not exists (select from dibs.log l where l.id = p_id) then return; end if;
  return query
    with place as materialized (
      select * from dibs.runs_named(array[p_id])
    )
    select e.at, e.event, e.worker_id, e.attempt, jsonb_strip_nulls(e.detail) from (
        select 0 as place, l.created_at as at, 'enqueued' as event, null::text as worker_id, null::int as attempt,
          jsonb_build_object('type', l.type, 'priority', l.priority, 'max_attempts', l.max_attempts,
            'unique_key', l.unique_key, 'key', nullif(k.key, ''), 'order_key', nullif(k.order_key, '')) as detail
        from dibs.log l left join dibs.task_key k on k.task = v_task where l.id = p_id
      union all
        select 1, due.at, 'due', null, null, '{}'
        from (
          -- Where it waits tells when for; that it was moved meanwhile does not stay.
          select l.run_at from dibs.log l
            where l.id = p_id and (v_last > 0 or not exists (select from place where place.status = 'pending'))
          union select place.run_at from place where place.status = 'pending'
        ) due (at)
      union all
        select 2, a.started_at, 'claimed', a.worker_id, a.n::int, '{}'
        from dibs.attempt a where a.task = v_task and a.started_at is not null and a.outcome in ('failed', 'lost')
      union all
        select 4, a.ended_at, a.outcome, a.worker_id, case when a.outcome in ('failed', 'lost') then a.n::int end,
          jsonb_build_object('error', a.error)
        from dibs.attempt a where a.task = v_task
      union all
        select 2, p.started_at, 'claimed', p.worker_id, v_last + 1, case p.status when 'processing' then (
          select jsonb_build_object('lease_expires_at', l.expires_at, 'fence', l.fence::text, 'progress', g.progress,
            'reported_at', g.reported_at)
          from dibs.lease l left join dibs.progress g on g.task = v_task where l.held @> v_task limit 1) else '{}' end
        from place p where p.started_at is not null and p.status <> 'failed'
      union all
        -- Of a failure the attempt tells.
        select 5, p.completed_at, p.status, p.worker_id, case p.status when 'completed' then v_last + 1 end, '{}'
        from place p
        where p.status in ('completed', 'cancelled') or p.status = 'failed' and v_last = 0
      union all
        select 3, f.begun_at, 'effect', null, null, jsonb_build_object('key', f.key, 'state', f.state, 'mode', f.mode,
          'done_at', f.done_at, 'parked_at', f.parked_at)
        from dibs.effect f where f.id = p_id and f.work_type = ''
    ) e
    -- A task may be due before it is enqueued.
    order by e.place > 0, e.at, coalesce(e.attempt, 0), e.place;
end $$;
comment on function public.task_timeline(uuid) is
  'What became of a task, oldest first; no rows where there is none of this id. event: enqueued, due, claimed, failed,
lost, retried, redriven, cancelled, completed, or effect; who did it, in which attempt, and in detail what else there is
to know: of enqueued {type, priority, max_attempts, unique_key, key, order_key}; of failed and lost {error}; of claimed,
while it runs, {lease_expires_at, fence, progress, reported_at}; of effect {key, state, mode, done_at, parked_at}. What
is still to come, such as due, has a moment that is not over.';

select dibs.seal();
