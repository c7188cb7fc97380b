-- Statistics: what happened when, per type, added up by the tick as it looks at what is new.
--
-- Enqueueing, claiming and settling write nothing for it. Every look counts what the last one had not
-- (535_counts.sql), each thing once, in the minute in which it happened, and in the hour, and for ever: a row each.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create table if not exists dibs.statistic (
  span text constraint span_is_known check (span in ('minute', 'hour', 'ever')),
  at timestamptz,
  type text,
  enqueued bigint not null,
  claimed bigint not null,
  completed bigint not null,
  attempts_failed bigint not null,
  failed bigint not null,
  cancelled bigint not null,
  wait_ms float8 not null,
  run_ms float8 not null,
  wait jsonb not null,
  run jsonb not null,
  primary key (span, at, type)
) with (fillfactor = 50);
comment on table dibs.statistic is
  'What happened to tasks of a type in the minute or hour that began at that time; or ever, since there are looks.
claimed: attempts that have ended, by when they began. wait and run: how many tasks waited from run_at to their first
claim, and were worked on until they were settled, for so long: {"4n": tasks} for 2^n to 2^(n + 1/4) ms, and in quarters
of an octave on; wait_ms and run_ms: all of them together.
Minutes stay for a day, hours for settings.keep_statistics: less than 1 kB each, so 4 MB in 90 days for a type that is
never idle.';

do $$
begin
  if exists (
    select from pg_catalog.pg_attribute where attrelid = 'dibs.settings'::regclass and attname = 'keep_statistics')
  then return; end if;
  alter table dibs.settings
    add column keep_statistics interval not null default '90 days' check (keep_statistics >= '1 day');
  comment on column dibs.settings.keep_statistics is
    'How long the statistics of an hour stay: an interval of a day or more.';
end $$;

create or replace function dibs.take_look() returns void
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_last dibs.look;
  v_at timestamptz := dibs.clock() - (clock_timestamp() - now());  -- this transaction may have written since
  v_made_by xid8;
  v_number bigint := (select last_value from dibs.task_number);
  v_page bigint := (select last_value from dibs.task_page);
  v_margin int := 0;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('dibs.look', 0)) then return; end if;
  v_made_by := pg_current_xact_id();
  v_last := dibs.last_look();
  -- There is no older look for numbers that were drawn, but not used yet.
  if v_last is null then v_margin := 10000; end if;
  -- One statement, one snapshot: what is counted is what the look says it could see.
  with counted as (
    insert into dibs.look
    select coalesce((select max(n) from dibs.look), 0) + 1, v_at, v_made_by, pg_current_snapshot(),
      (select system_identifier from pg_control_system()), v_number - v_margin, v_page - v_margin * 128,
      c.enqueued, c.completed, c.failed, c.cancelled
    from dibs.count_tasks(v_last, p_without => v_made_by) c
    -- Of two in transactions whose snapshots are older than the lock, one fails to serialize.
    on conflict do nothing
  ), taken_in as (
    delete from dibs.correction where true
  ), outdated as (
    delete from dibs.look where v_last is null or n < (
      select s.n from dibs.look s where s.at < (
        select f.at - interval '10 s' from dibs.look f where f.made_by <= pg_snapshot_xmin(pg_current_snapshot())
        order by f.n desc limit 1)
      order by s.n desc limit 1)
  ), happened as materialized (
    select type, date_bin('1 minute', at, 'epoch') as at, kind, bucket, sum(tasks) as tasks, sum(ms * tasks) as ms
    from dibs.unseen_events(v_last, v_made_by) group by 1, 2, 3, 4
  ), summed as (
    select span, s.at, type, kind, bucket, sum(tasks)::bigint as tasks, sum(ms) as ms
    from happened h, lateral (
      values ('minute', h.at), ('hour', date_bin('1 hour', h.at, 'epoch')), ('ever', '-infinity')) s(span, at)
    group by 1, 2, 3, 4, 5
  )
  insert into dibs.statistic
  select span, at, type,
    coalesce(sum(tasks) filter (where kind = 'enqueued'), 0),
    coalesce(sum(tasks) filter (where kind = 'claimed'), 0),
    coalesce(sum(tasks) filter (where kind = 'completed'), 0),
    coalesce(sum(tasks) filter (where kind = 'attempts_failed'), 0),
    coalesce(sum(tasks) filter (where kind = 'failed'), 0),
    coalesce(sum(tasks) filter (where kind = 'cancelled'), 0),
    coalesce(sum(ms) filter (where kind = 'wait'), 0),
    coalesce(sum(ms) filter (where kind = 'run'), 0),
    coalesce(jsonb_object_agg(bucket, tasks) filter (where kind = 'wait'), '{}'),
    coalesce(jsonb_object_agg(bucket, tasks) filter (where kind = 'run'), '{}')
  from summed group by span, at, type
  on conflict (span, at, type) do update set
    enqueued = statistic.enqueued + excluded.enqueued,
    claimed = statistic.claimed + excluded.claimed,
    completed = statistic.completed + excluded.completed,
    attempts_failed = statistic.attempts_failed + excluded.attempts_failed,
    failed = statistic.failed + excluded.failed,
    cancelled = statistic.cancelled + excluded.cancelled,
    wait_ms = statistic.wait_ms + excluded.wait_ms,
    run_ms = statistic.run_ms + excluded.run_ms,
    wait = dibs.add_histograms(statistic.wait, excluded.wait),
    run = dibs.add_histograms(statistic.run, excluded.run);
  delete from dibs.statistic s
    where s.span = 'minute' and s.at < v_at - interval '1 day'
      or s.span = 'hour' and s.at < v_at - (select keep_statistics from dibs.settings);
end $$;
comment on function dibs.take_look() is
  'Count what came since the last look, and note what happened then. Only one at a time; nobody waits. The first look of
a database notes nothing of what had happened before.';

create or replace function dibs.unseen_events(p_look dibs.look, p_without xid8)
  returns table (type text, at timestamptz, kind text, bucket int, tasks bigint, ms float8)
  language plpgsql stable set search_path = '' as $$
begin
  if p_look is null then return; end if;
  return query
    select t.type, t.created_at, 'enqueued', null::int, 1::bigint, null::float8
    from dibs.unseen_tasks(p_look, p_without) t;
  return query
    select e.type, k.at, k.kind, floor(4 * ln(greatest(k.ms, 0.0625)) / ln(2))::int, e.tasks, k.ms
    from (
        select * from dibs.unseen_ends(p_look, p_without)
        union all
        select * from dibs.unseen_attempts(p_look, p_without)
      ) e,
      lateral (
        values (e.kind, e.ended_at, null), ('claimed', e.started_at, null), ('wait', e.started_at, e.waited_ms),
          ('run', e.ended_at, e.ran_ms)
      ) k(kind, at, ms)
    where k.kind = e.kind or k.kind = 'claimed' and k.at is not null or k.ms is not null;
end $$;
comment on function dibs.unseen_events(dibs.look, xid8) is
  'What happened to tasks and was not counted by a look, the last one: a row for each of the columns of dibs.statistic
that it counts in, wait and run with the bucket and the time it took a task.';

create or replace function dibs.unseen_ends(p_look dibs.look, p_without xid8)
  returns table (
    type text, tasks bigint, kind text, started_at timestamptz, ended_at timestamptz, waited_ms float8, ran_ms float8)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select t.type, t.tasks, o.status, a.started_at, o.completed_at,
      extract(epoch from a.started_at - first.run_at)::float8 * 1000,
      extract(epoch from o.completed_at - a.started_at)::float8 * 1000
    from dibs.unseen_outcomes(p_look, p_without) o
      cross join lateral (
        select o.type, sum(upper(r) - lower(r))::bigint as tasks from unnest(o.run) r having o.type <> ''
        union all
        select l.type, count(*) from dibs.log_of(o.run) l where o.type = '' group by l.type
      ) t
      -- The attempt of what failed for good has a row of its own.
      left join lateral (select o.started_at where o.status = 'completed') a on true
      left join lateral (
        select l.run_at from dibs.log l
        where a.started_at is not null
          and l.id >= encode(int8send(lower(o.run) << 16) || int8send(0), 'hex')::uuid
          and l.id < encode(int8send((lower(o.run) + 1) << 16) || int8send(0), 'hex')::uuid
          and not exists (select from dibs.attempt h where h.task >= lower(o.run) and h.task < upper(o.run))
          and not exists (select from dibs.dependency d where d.task >= lower(o.run) and d.task < upper(o.run))
        offset 0
      ) first on true;
end $$;
comment on function dibs.unseen_ends(dibs.look, xid8) is
  'The ends of tasks that a look, the last one, did not count, by type. started_at, ran_ms: of the attempt that
completed. waited_ms: from run_at to that; of a run it is that of its first task, and null if any of it had an attempt
before or waited for other tasks.';

create or replace function dibs.unseen_attempts(p_look dibs.look, p_without xid8)
  returns table (
    type text, tasks bigint, kind text, started_at timestamptz, ended_at timestamptz, waited_ms float8, ran_ms float8)
  language plpgsql stable set search_path = '' as $$
declare
  v_since dibs.look := dibs.unseen_since(p_look);
begin
  return query
    select l.type, 1::bigint, 'attempts_failed', a.started_at, a.ended_at,
      case when a.n = 1 and not exists (select from dibs.dependency d where d.task = a.task) then
        extract(epoch from a.started_at - l.run_at)::float8 * 1000 end,
      case when a.outcome = 'failed' then extract(epoch from a.ended_at - a.started_at)::float8 * 1000 end
    from dibs.attempt a,
      lateral (
        select l.type, l.run_at from dibs.log l
        where l.id >= encode(int8send(a.task << 16) || int8send(0), 'hex')::uuid
          and l.id < encode(int8send((a.task + 1) << 16) || int8send(0), 'hex')::uuid
        offset 0
      ) l
    where a.outcome in ('failed', 'lost') and a.ended_at >= v_since.at
      and not (pg_visible_in_snapshot(a.made_by, p_look.snapshot) and a.made_by <> p_look.made_by)
      and a.made_by is distinct from p_without;
end $$;
comment on function dibs.unseen_attempts(dibs.look, xid8) is
  'The same for attempts that failed or were lost; how long a lost one was worked on nobody knows.';

create or replace function dibs.add_histograms(p_one jsonb, p_other jsonb) returns jsonb
  language plpgsql immutable set search_path = '' as $$
begin
  if p_one = '{}' or p_other = '{}' then return p_one || p_other; end if;
  return (
    select jsonb_object_agg(key, tasks) from (
      select key, sum(value::bigint) as tasks
      from (select * from jsonb_each_text(p_one) union all select * from jsonb_each_text(p_other)) b group by key
    ) added);
end $$;
comment on function dibs.add_histograms(jsonb, jsonb) is
  'Two histograms as in dibs.statistic, added up.';

select dibs.seal();
