-- What dashboards and alerts read of the statistics.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.task_statistics(
    p_since interval default '1 hour', p_step interval default '1 minute', p_type text default null)
  returns table (
    at timestamptz, type text, enqueued bigint, claimed bigint, completed bigint, attempts_failed bigint, failed bigint,
    cancelled bigint, wait_p50_ms float8, wait_p99_ms float8, run_p50_ms float8, run_p99_ms float8)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_mergejoin = off set jit = off as $$
declare
  v_from timestamptz;
  v_minutes_from timestamptz;
begin
  if p_since is null or p_since <= interval '0' then
    perform dibs.refuse('PT400', 'p_since must be an interval of time, such as 1 hour');
  elsif p_step is null or p_step < interval '1 minute'
    or extract(years from p_step) <> 0 or extract(months from p_step) <> 0 then
    perform dibs.refuse('PT400', 'p_step must be a minute or more, of days and smaller units',
      'Give an interval such as 5 minutes.');
  end if;
  v_from := date_bin(p_step, dibs.clock() - least(p_since, interval '100 years'), 'epoch');
  -- Whole hours, all minutes of which are kept yet.
  v_minutes_from := case when p_step < interval '1 hour'
    then date_bin('1 hour', dibs.clock() - interval '23 hours', 'epoch') else 'infinity' end;
  return query
    with kept as materialized (
      select date_bin(p_step, s.at, 'epoch') as at, s.type, s.enqueued, s.claimed, s.completed, s.attempts_failed,
        s.failed, s.cancelled, s.wait, s.run
      from dibs.statistic s
      where (p_type is null or s.type = p_type)
        and (s.span = 'hour' and s.at >= v_from and s.at < v_minutes_from
          or s.span = 'minute' and s.at >= greatest(v_from, v_minutes_from))
    ), counted as (
      select k.at, k.type, sum(k.enqueued)::bigint as enqueued, sum(k.claimed)::bigint as claimed,
        sum(k.completed)::bigint as completed, sum(k.attempts_failed)::bigint as attempts_failed,
        sum(k.failed)::bigint as failed, sum(k.cancelled)::bigint as cancelled
      from (
        select k.at, k.type, k.enqueued, k.claimed, k.completed, k.attempts_failed, k.failed, k.cancelled from kept k
        union all
        select date_bin(p_step, h.started_at, 'epoch'), h.type, 0, h.tasks, 0, 0, 0, 0
        from dibs.held_by_type() h where h.started_at >= v_from and (p_type is null or h.type = p_type)
      ) k
      group by k.at, k.type
    ), timed as (
      select b.at, b.type, jsonb_object_agg(b.bucket, b.tasks) filter (where b.name = 'wait') as wait,
        jsonb_object_agg(b.bucket, b.tasks) filter (where b.name = 'run') as run
      from (
        select k.at, k.type, t.name, h.key as bucket, sum(h.value::bigint) as tasks
        from kept k, lateral (values ('wait', k.wait), ('run', k.run)) t(name, histogram),
          lateral jsonb_each_text(t.histogram) h
        group by 1, 2, 3, 4
      ) b
      group by b.at, b.type
    )
    select c.*, dibs.percentile(t.wait, 0.5), dibs.percentile(t.wait, 0.99),
      dibs.percentile(t.run, 0.5), dibs.percentile(t.run, 0.99)
    from counted c left join timed t on t.at = c.at and t.type = c.type
    order by c.at, c.type;
end $$;
comment on function public.task_statistics(interval, interval, text) is
  'What happened to tasks over time, oldest first: a row for each step and type in which anything did.
p_since: how far back. p_step: a minute or more; steps begin at multiples of it since 1970. Minutes are kept for a day,
so what is older than 23 hours, or asked for in steps of an hour or more, is told by the hour. p_type: of one type only.
claimed: attempts, by when they began, also those under way; one that is handed back counts no more. attempts_failed:
those that failed or were lost. failed: tasks that failed for good.
wait: from run_at to the first claim, of tasks that waited for no others; run: from the claim to the settlement; 50 and
99 % took no longer, to some 9 %, and null where none did.
As of the last tick, but for attempts under way; of tasks that ended earlier than they were first looked at nothing is
known. Errors: PT400 for bad input.';

create or replace function dibs.held_by_type() returns table (type text, started_at timestamptz, tasks bigint)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select t.type, l.started_at, t.tasks
    from dibs.lease l, lateral (
      select l.type, dibs.count_of(l.held)::bigint as tasks where l.type <> ''
      union all
      select g.type, count(*) from dibs.log_of(l.held) g where l.type = '' group by g.type
    ) t;
end $$;
comment on function dibs.held_by_type() is 'How many tasks of which type each lease holds, and since when.';

create or replace function dibs.percentile(p_histogram jsonb, p_share float8) returns float8
  language plpgsql immutable set search_path = '' as $$
begin
  return (
    select 2 ^ ((b.bucket + (p_share * b.total - b.before) / b.tasks) / 4)
    from (
      select key::int as bucket, value::float8 as tasks, sum(value::float8) over () as total,
        sum(value::float8) over (order by key::int) - value::float8 as before
      from jsonb_each_text(p_histogram)
    ) b
    where b.before + b.tasks >= p_share * b.total
    order by b.bucket limit 1);
end $$;
comment on function dibs.percentile(jsonb, float8) is
  'How many milliseconds that share of a histogram as in dibs.statistic took at most; null of none. Within a bucket they
are taken to be spread evenly.';

create or replace function public.task_totals()
  returns table (
    type text, enqueued bigint, claimed bigint, completed bigint, attempts_failed bigint, failed bigint,
    cancelled bigint, wait jsonb, run jsonb)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set jit = off as $$
begin
  return query
    select s.type, s.enqueued, s.claimed, s.completed, s.attempts_failed, s.failed, s.cancelled,
      dibs.cumulative(s.wait, s.wait_ms), dibs.cumulative(s.run, s.run_ms)
    from dibs.statistic s where s.span = 'ever' order by s.type;
end $$;
comment on function public.task_totals() is
  'Counters that only ever grow, a row per type: what happened from the first tick to the last. Columns as in
task_statistics, but claimed: attempts that have ended.
wait, run: {buckets: [[ms, tasks that took no longer], …], count, sum_ms}, with bounds from 1 ms to 4.7 hours.';

create or replace function dibs.cumulative(p_histogram jsonb, p_sum float8) returns jsonb
  language plpgsql immutable set search_path = '' as $$
begin
  return (
    select jsonb_build_object('sum_ms', round(p_sum), 'count', max(n.tasks),
      'buckets', jsonb_agg(jsonb_build_array((4 ^ n.nth)::bigint, n.tasks) order by n.nth) filter (where n.nth < 13))
    from (
      select nth, coalesce(sum(value::bigint) filter (where key::int < 8 * nth or nth = 13), 0) as tasks
      from generate_series(0, 13) nth left join jsonb_each_text(p_histogram) on true group by nth
    ) n);
end $$;
comment on function dibs.cumulative(jsonb, float8) is
  'A histogram as in dibs.statistic the way that counters are told: how many took no longer than each of a few bounds.';

select dibs.seal();
