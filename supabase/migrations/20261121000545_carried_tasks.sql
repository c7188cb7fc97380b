-- A plain table public.tasks that a project had makes way for the view of that name, and its rows become tasks: each
-- gets a number, in the order of created_at, and the place that its status says. The next migration does that in the
-- transaction in which it makes the view, so that whoever waits for the table meanwhile finds the view.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.carry_tasks() returns bigint
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_carried bigint;
begin
  if not dibs.tasks_to_carry() then return 0; end if;
  lock table public.tasks in access exclusive mode;
  perform dibs.tasks_to_carry();  -- up to now others could write
  perform dibs.set_tasks_aside();
  v_carried := dibs.number_carried_tasks(v_now);

  insert into dibs.log (id, type, payload, run_at, created_at, unique_key)
    select dibs.id_of(c.task, hashint8extended(c.task, s.seed)), t.type, t.payload, least(c.created_at, v_now),
      c.created_at, c.id
    from dibs.id_seed s, pg_temp.carried c join public.tasks_before_dibs t using (id)
    order by c.task;
  insert into dibs.unique_key (type, key, task)
    select type, id, task from pg_temp.carried where status in ('pending', 'processing');
  insert into dibs.lane
    select distinct type, 0 from pg_temp.carried order by type on conflict do nothing;
  insert into dibs.attempt (task, n, outcome, started_at, ended_at, error)
    select task, 1, 'failed', started_at, coalesce(completed_at, started_at, created_at), dibs.clean_error(error)
    from pg_temp.carried where status = 'failed' or status <> 'completed' and error is not null;

  perform dibs.place_carried_tasks(v_now);
  raise notice 'Dibs: % tasks carried over; their table is kept as public.tasks_before_dibs', v_carried;
  return v_carried;
end $$;
comment on function dibs.carry_tasks() is
  'Make tasks of the rows of a table public.tasks, which is renamed; the id that a row had is its task''s unique key.
Returns how many, 0 where there is no such table.';

create or replace function dibs.set_tasks_aside() returns void
  language plpgsql set search_path = '' as $$
declare
  v_routine regprocedure;
begin
  alter table public.tasks rename to tasks_before_dibs;
  -- Dibs brings functions that are called the same, and may return something else.
  foreach v_routine in array array[
    to_regprocedure('public.claim_task()'), to_regprocedure('public.create_task(text, jsonb)')]
  loop
    continue when v_routine is null;
    execute format('alter routine %s rename to %I', v_routine,
      (select proname || '_before_dibs' from pg_catalog.pg_proc where oid = v_routine));
  end loop;
end $$;
comment on function dibs.set_tasks_aside() is
  'Give a table public.tasks another name, and functions of the project''s that are called as Dibs''s will be. They stay
the project''s.';

create or replace function dibs.number_carried_tasks(p_now timestamptz) returns bigint
  language plpgsql set search_path = '' as $$
declare
  v_numbered bigint;
begin
  create temporary table carried on commit drop as
    select page.first + (t.place - 1) % 100 as task, t.*
    from (
      select row_number() over (order by coalesce(t.created_at, p_now), t.id) as place, t.id, t.type, t.status,
        coalesce(t.created_at, p_now) as created_at, t.started_at, t.completed_at, t.error
      from (
          select null::timestamptz as created_at, null::timestamptz as started_at, null::timestamptz as completed_at,
            null::text as error
        ) absent,
        -- A column that the table has not is the one of that name outside.
        lateral (
          select id, type, status, created_at, started_at, completed_at, error from public.tasks_before_dibs
        ) t
    ) t
    join (
      -- A hundred tasks to a page, as where they are enqueued together.
      select nextval('dibs.task_page') as first, nth
      from generate_series(0, (select count(*) / 100 from public.tasks_before_dibs)) nth
    ) page on page.nth = (t.place - 1) / 100;
  get diagnostics v_numbered = row_count;
  return v_numbered;
end $$;
comment on function dibs.number_carried_tasks(timestamptz) is
  'Note what is to be carried in pg_temp.carried, each with its number. Returns how many that are.';

create or replace function dibs.place_carried_tasks(p_now timestamptz) returns void
  language plpgsql set search_path = '' as $$
begin
  -- A run ends where one of another type comes in between, so that the oldest is first whoever claims.
  insert into dibs.ready (type, priority, run_at, run)
    select type, 0, least(min(created_at), p_now), range_agg(int8range(task, task + 1))
    from (
      select *, row_number() over (order by task) - row_number() over (partition by type order by task) as stretch
      from pg_temp.carried where status = 'pending'
    ) pending
    group by type, stretch, task >> 7;
  -- Who is at them cannot report to Dibs. When the lease has run out, others get them.
  insert into dibs.lease (started_at, expires_at, held, worker_id)
    select min(started_at), p_now + interval '15 minutes', range_agg(int8range(task, task + 1)), 'before-dibs'
    from (
      select task, coalesce(started_at, p_now) as started_at,
        (row_number() over (order by coalesce(started_at, p_now), task) - 1) / 100 as nth
      from pg_temp.carried where status = 'processing'
    ) processing
    group by nth;
  insert into dibs.outcome (run, started_at, completed_at, status)
    select range_agg(int8range(task, task + 1)), started_at, ended_at, status
    from (
      select *, coalesce(completed_at, started_at, created_at) as ended_at
      from pg_temp.carried where status in ('completed', 'failed')
    ) ended
    group by task >> 7, started_at, ended_at, status;
end $$;
comment on function dibs.place_carried_tasks(timestamptz) is
  'Put each task of pg_temp.carried where its status says: pending into ready, processing into leases that run out,
completed and failed into outcomes.';

-- From the next migration on clients enqueue, while dispatch, which that wakes, is still to come (700_dispatch.sql).
do $$
begin
  if to_regproc('dibs.wake') is null then
    create function dibs.wake(p_run_at timestamptz, p_types text[] default null) returns void
      language plpgsql set search_path = '' as 'begin end';
  end if;
end $$;

select dibs.seal();
