-- What is going on, in one answer.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.dibs_status() returns jsonb
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_mergejoin = off set jit = off as $$
declare
  v_now timestamptz := dibs.clock();
begin
  return jsonb_build_object(
    'version', jsonb_build_object('database', dibs.version()),
    'now', v_now,
    'tasks', (select jsonb_object_agg(status, tasks) from public.task_counts()),
    'oldest_due_seconds', (
      select floor(extract(epoch from v_now - min(run_at)))
      from (
        -- By the index that claims use, a look for each priority.
        select r.run_at from dibs.lane l, lateral (
          select run_at from dibs.ready where priority = l.priority order by priority, run_at, lower(run) limit 1) r
        where l.type = '' and r.run_at <= v_now
        union all
        select run_at from dibs.gated
      ) due),
    'gates', (select coalesce(jsonb_agg(to_jsonb(g) order by g.type, g.scope, g.key), '[]') from public.task_gates() g),
    'claim_gates', (
      select coalesce(jsonb_agg(to_jsonb(g) order by g.source, g.work_type), '[]') from public.claim_gates() g),
    'thoughts', (
      select coalesce(jsonb_agg(to_jsonb(c) - '{source,expired}'::text[] order by c.work_type), '[]')
      from dibs.claim_counts('thoughts') c),
    'sources', (
      select coalesce(jsonb_agg(to_jsonb(c) order by c.source, c.work_type), '[]')
      from dibs.claim_source s, dibs.claim_counts(s.name) c where s.name <> 'thoughts'),
    'workers', (
      select coalesce(jsonb_agg(to_jsonb(w) order by w.worker_id), '[]')
      from (
        select worker_id, sum(tasks)::int as tasks, sum(thoughts)::int as thoughts,
          min(lease_expires_at) as lease_expires_at
        from (
          select worker_id, dibs.count_of(held) as tasks, 0 as thoughts, expires_at as lease_expires_at from dibs.lease
          union all
          select worker_id, 0, 1, ttl_expires_at from public.thought_work_claims where status = 'claimed'
        ) h
        group by worker_id
      ) w),
    'expired', (
      select jsonb_build_object(
        'tasks', (select coalesce(sum(dibs.count_of(held)), 0) from dibs.lease where expires_at < v_now),
        'thoughts', (
          select count(*) from public.thought_work_claims where status = 'claimed' and ttl_expires_at < v_now))),
    'schedules', (
      select coalesce(jsonb_agg(jsonb_build_object('name', s.name, 'paused', s.paused, 'next_tick', s.next_tick,
        'last_tick', s.last_tick, 'problem', s.problem) order by s.paused, s.next_tick, s.name), '[]')
      from (select * from dibs.recurring_schedule order by paused, next_tick, name limit 100) s),
    'parked_effects', (select count(*) from dibs.effect_in_doubt),
    -- From the catalogue: to_regproc would fail for whoever may not use the schema.
    'schedule', (
      select jsonb_build_object(
        'cron', bool_or(n.nspname = 'cron' and p.proname = 'schedule'),
        'net', bool_or(n.nspname = 'net' and p.proname = 'http_post'))
      from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace),
    'dispatch', jsonb_build_object(
      'failed', dibs.failed_dispatches(), 'rest_until', nullif(greatest(dibs.calls_rest_until(), v_now), v_now),
      'invocations', dibs.invocations(), 'invocations_left', dibs.invocations_left()),
    'dispatches', (
      select coalesce(
        jsonb_agg(to_jsonb(d) - 'http_request' || jsonb_build_object('id', d.id::text) order by d.id desc), '[]')
      from (select * from dibs.dispatch order by id desc limit 10) d));
end $$;
comment on function public.dibs_status() is
  'The state of the whole: tasks by status, age of the oldest due one in seconds, gates, thoughts by work type, claims
on other sources (counted_at null: all of them just now, otherwise succeeded and failed were counted then), what each
worker holds, what has expired and was not taken back yet, the first hundred recurring
schedules by when they are due, effects somebody must decide about, how many calls to dispatch failed in a row and
until when none is made, the function calls of this month and how many are left of it (null: no limit), and the last
ten dispatches. One JSON object.';

-- What it used before.
drop function if exists dibs.sources_status();

select dibs.seal();
