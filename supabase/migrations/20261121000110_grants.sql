-- Who may do what: the service role, and nobody else. Said once, here.
--
-- A new Supabase project grants nothing to the service role, an older one everything to anon, and both
-- let PUBLIC execute every new function. So each migration ends with dibs.seal(), which secures every table,
-- takes everything from PUBLIC and the roles of the API, and then grants line by line. What a project grants to
-- roles of its own is the project's affair.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.seal() returns void
  language plpgsql set search_path = '' as $$
declare
  -- The view. A table of that name is the project's, until its rows have been carried over.
  v_tasks regclass := (
    select oid from pg_catalog.pg_class where oid = to_regclass('public.tasks') and relkind = 'v');
  v_object record;
  v_grant record;
  v_of_sources jsonb := '{}';
begin
  -- The tables of claim sources are known once 210_claim_sources.sql has run.
  if to_regprocedure('dibs.source_grants()') is not null then
    execute 'select coalesce(jsonb_object_agg(name, privileges), $1) from dibs.source_grants()'
      into v_of_sources using v_of_sources;
  end if;
  -- Cascade: what somebody passed on goes with it.
  revoke all on schema dibs from public, anon, authenticated, service_role cascade;
  grant usage on schema dibs to service_role;

  for v_object in
    select c.oid::regclass as name, c.relkind in ('r', 'p') and not c.relrowsecurity as unsecured
    from pg_catalog.pg_class c
    where c.relkind in ('r', 'p', 'v', 'S') and (c.relnamespace = 'dibs'::regnamespace
      or c.oid in (to_regclass('public.thought_work_claims'), v_tasks)
      or c.oid in (select to_regclass(name) from jsonb_object_keys(v_of_sources) name))
  loop
    execute format('revoke all on %s from public, anon, authenticated, service_role cascade',
      v_object.name);
    if v_object.unsecured then
      execute format('alter table %s enable row level security', v_object.name);
    end if;
  end loop;

  for v_grant in
    select to_regclass(name) as name, privileges
    from (values
      -- The contract: clients read, insert and delete claims and tasks by themselves.
      ('public.thought_work_claims', 'select, insert, update, delete'),
      (v_tasks::text, 'select, insert, update, delete'),
      -- Locking a row for update asks for the privilege to update it, also where nothing ever is.
      ('dibs.ready', 'select, insert, update, delete'),
      ('dibs.lease', 'select, insert, update, delete'),
      ('dibs.hint', 'select, insert, update, delete'),
      ('dibs.outcome', 'select, insert, update, delete'),
      ('dibs.waiting', 'select, insert, update, delete'),
      ('dibs.dependency', 'select, insert, update, delete'),
      ('dibs.untold', 'select, insert, update, delete'),
      ('dibs.recurring_schedule', 'select, insert, update, delete'),
      ('dibs.thought_run', 'select, insert, update, delete'),
      -- Written once, deleted when pruned.
      ('dibs.attempt', 'select, insert, delete'),
      ('dibs.request', 'select, insert, delete'),
      ('dibs.lane', 'select, insert'),
      ('dibs.hinted_lane', 'select'),
      -- Drawn once.
      ('dibs.id_seed', 'select'),
      -- Written once, unless it is replaced, moved or redriven.
      ('dibs.log', 'select, insert, update, delete'),
      -- Taken over by whoever may.
      ('dibs.unique_key', 'select, insert, update, delete'),
      -- The newest value counts.
      ('dibs.result', 'select, insert, update, delete'),
      ('dibs.progress', 'select, insert, update, delete'),
      ('dibs.effect', 'select, insert, update, delete'),
      ('dibs.effect_in_doubt', 'select'),
      ('dibs.dispatch', 'select, insert, update, delete'),
      ('dibs.thought_attempt', 'select, insert, update, delete'),
      ('dibs.reap_hint', 'select, insert, update, delete'),
      ('dibs.claim_source', 'select'),
      ('dibs.source_sql', 'select'),
      ('dibs.thought_pass', 'select, insert, update, delete'),
      ('dibs.settings', 'select, update'),
      ('dibs.retention', 'select, insert, update, delete'),
      ('dibs.pruning', 'select, insert, update, delete'),
      ('dibs.look', 'select, insert, delete'),
      ('dibs.correction', 'select, insert, delete'),
      ('dibs.statistic', 'select, insert, update, delete'),
      ('dibs.claim_count', 'select, insert, update, delete'),
      ('dibs.gate', 'select, insert, update, delete'),
      ('dibs.task_key', 'select, insert, update, delete'),
      ('dibs.in_order', 'select, insert, delete'),
      ('dibs.claim_gate', 'select, insert, update, delete'),
      ('dibs.claim_bucket', 'select, insert, update, delete'),
      ('dibs.gated', 'select, insert, update, delete'),
      ('dibs.turn', 'select, insert, update, delete'),
      ('dibs.slot', 'select, insert, update, delete'),
      ('dibs.bucket', 'select, insert, update, delete'),
      ('dibs.gates_changed', 'usage, select, update'),
      ('dibs.fence', 'usage'),
      ('dibs.task_number', 'usage, select'),
      ('dibs.task_page', 'usage, select')
    ) g(name, privileges)
    where to_regclass(name) is not null
    union all
    select to_regclass(key), value from jsonb_each_text(v_of_sources)
    where to_regclass(key) is not null
  loop
    execute format('grant %s on %s%s to service_role', v_grant.privileges,
      case when v_grant.privileges like 'usage%' then 'sequence ' else '' end, v_grant.name);
  end loop;

  -- Everything runs as its caller, so the service role may also execute the internals.
  for v_grant in
    select p.oid::regprocedure as name from pg_catalog.pg_proc p
    where p.pronamespace = 'dibs'::regnamespace
      or p.pronamespace = 'public'::regnamespace and p.proname = any (dibs.interface())
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role cascade', v_grant.name);
    execute format('grant execute on function %s to service_role', v_grant.name);
  end loop;
end $$;
comment on function dibs.seal() is
  'Close everything of Dibs to everybody but the service role. Ends each migration; safe to run at any time.';

create or replace function dibs.interface() returns text[]
  language sql immutable set search_path = '' as $$
  select array[
    'claim_thoughts', 'release_thought', 'release_claims_for_worker',
    'claim_named_thoughts', 'claim_next_thoughts', 'settle_and_claim_thoughts', 'retry_failed_thoughts',
    'quarantined_thoughts',
    'claim_rows', 'claim_next_rows', 'renew_rows', 'settle_rows', 'settle_and_claim_rows', 'release_rows_for_worker',
    'failed_rows', 'retry_failed_rows',
    'create_task', 'enqueue_tasks', 'claim_task', 'claim_tasks', 'settle_and_claim_tasks',
    'release_tasks_for_worker', 'cancel_tasks', 'retry_tasks', 'reap_tasks', 'prune_tasks', 'task_counts',
    'task_attempts', 'task_dependencies', 'set_retention', 'remove_retention', 'retention_rules',
    'explain_task', 'explain_claim',
    'cancel_tasks_where', 'retry_tasks_where', 'reprioritize_tasks_where', 'failed_tasks', 'redrive_tasks',
    'redrive_rows',
    'put_schedule', 'delete_schedule', 'pause_schedule', 'resume_schedule', 'run_schedule_now', 'schedules',
    'renew_lease', 'settle_lease', 'assert_lease', 'complete_with_result', 'was_completed',
    'set_task_limit', 'remove_task_limit', 'set_task_rate', 'remove_task_rate', 'pause_tasks', 'resume_tasks',
    'task_gates', 'task_retry_after',
    'set_claim_limit', 'remove_claim_limit', 'set_claim_rate', 'remove_claim_rate', 'pause_claims', 'resume_claims',
    'claim_gates',
    'effect_begin', 'effect_done', 'parked_effects', 'settle_effect', 'plan_dispatch', 'dibs_status',
    'workers', 'dispatches', 'find_tasks', 'task_timeline', 'claim_progress',
    'task_statistics', 'task_totals']
$$;
comment on function dibs.interface() is 'The names of the functions in public that are Dibs''s.';

select dibs.seal();
