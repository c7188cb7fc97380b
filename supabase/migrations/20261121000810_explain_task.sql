-- Why a task is not being worked on: a list of possible reasons, each a function that says so where it is the one.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

do $$
begin
  if to_regtype('dibs.explanation') is null then
    create type dibs.explanation as (
      state text, reason text, detail jsonb, until timestamptz, what_would_change_it text);
  end if;
end $$;
comment on type dibs.explanation is
  'Why something is not being worked on, as explain_task and explain_claim return it.';

do $$
begin
  -- Not the type of the view, which could then not be dropped.
  if to_regtype('dibs.task_facts') is null then
    create type dibs.task_facts as (
      id uuid, type text, status text, priority smallint, run_at timestamptz, attempts int, max_attempts int,
      error text, worker_id text, started_at timestamptz, completed_at timestamptz, lease_expires_at timestamptz,
      progress jsonb, key text, order_key text);
  end if;
end $$;
comment on type dibs.task_facts is 'What there is to know about a task, from public.tasks.';

create or replace function public.explain_task(p_id uuid)
  returns table (state text, reason text, detail jsonb, until timestamptz, what_would_change_it text)
  language plpgsql stable set search_path = '' as $$
declare
  v_task dibs.task_facts;
  v_why dibs.explanation;
begin
  select t.id, t.type, t.status, t.priority, t.run_at, t.attempts, t.max_attempts, t.error, t.worker_id, t.started_at,
      t.completed_at, t.lease_expires_at, t.progress, t.key, t.order_key
    into v_task from public.tasks t where t.id = p_id;
  -- The first that says something is the reason: what would have to change before all that follow matter.
  v_why := coalesce(
    dibs.why_unknown(p_id, v_task),
    dibs.why_ended(v_task),
    dibs.why_leased(v_task),
    dibs.why_waiting(v_task),
    dibs.why_not_due(v_task),
    dibs.why_paused(v_task),
    dibs.why_out_of_order(v_task),
    dibs.why_limited(v_task),
    dibs.why_rated(v_task),
    dibs.why_unclaimed(v_task));
  return query select v_why.*;
end $$;
comment on function public.explain_task(uuid) is
  'Why a task is not being worked on. One row: its state, which is its status or unknown; the reason; what there is to
know about that; until when that is so at most, null when nobody can tell; and what would change it.
reason: unknown, completed, failed, cancelled, leased, lease_expired, dependency, backoff, not_due, paused, order,
limit, rate, behind_others, next, nobody_asked.';

-- Reasons, in the order in which they are looked at ------------------------------------------------

create or replace function dibs.why_unknown(p_id uuid, p_task dibs.task_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
begin
  if p_task.id is not null then return null; end if;
  return row('unknown', 'unknown', jsonb_build_object('id', p_id), null,
    'Nothing: no task has this id. It was never enqueued here, was deleted, or its retention was over.')
    ::dibs.explanation;
end $$;
comment on function dibs.why_unknown(uuid, dibs.task_facts) is 'Whether no task has this id.';

create or replace function dibs.why_ended(p_task dibs.task_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
begin
  if p_task.status not in ('completed', 'failed', 'cancelled') then return null; end if;
  return row(p_task.status, p_task.status,
    jsonb_strip_nulls(jsonb_build_object('ended_at', p_task.completed_at, 'worker_id', p_task.worker_id,
      'attempts', p_task.attempts, 'max_attempts', p_task.max_attempts, 'error', p_task.error)),
    null,
    case p_task.status
      when 'completed' then 'Nothing needs to: it is done. An update of tasks to status pending runs it once more.'
      when 'failed' then 'retry_tasks lets it run again, with all its attempts anew; task_attempts has why they failed.'
      else 'retry_tasks lets it run after all.' end)::dibs.explanation;
end $$;
comment on function dibs.why_ended(dibs.task_facts) is 'Whether it has ended, and how.';

create or replace function dibs.why_leased(p_task dibs.task_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_expired boolean := p_task.lease_expires_at <= dibs.clock();
begin
  if p_task.status <> 'processing' then return null; end if;
  return row(p_task.status, case when v_expired then 'lease_expired' else 'leased' end,
    jsonb_strip_nulls(jsonb_build_object('worker_id', p_task.worker_id, 'started_at', p_task.started_at,
      'attempt', p_task.attempts, 'progress', p_task.progress)),
    p_task.lease_expires_at,
    case when v_expired then
        'The next claim or tick takes it back; it is then claimed again. Where nothing ticks, reap_tasks does.'
      else 'It is being worked on. Its worker settles it, or the lease runs out. release_tasks_for_worker takes it '
        || 'from a worker that is gone.' end)::dibs.explanation;
end $$;
comment on function dibs.why_leased(dibs.task_facts) is
  'Whether a worker holds it, or held it and was not heard of again.';

create or replace function dibs.why_not_due(p_task dibs.task_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_last dibs.attempt;
begin
  if p_task.run_at <= dibs.clock() then return null; end if;
  select * into v_last from dibs.attempt a where a.task = dibs.task_of(p_task.id) order by a.n desc limit 1;
  return row(p_task.status, case v_last.outcome when 'failed' then 'backoff' else 'not_due' end,
    jsonb_strip_nulls(jsonb_build_object('attempts', p_task.attempts, 'max_attempts', p_task.max_attempts,
      'error', p_task.error)),
    p_task.run_at,
    format('Time; or update public.tasks set run_at = now() where id = %L.', p_task.id))::dibs.explanation;
end $$;
comment on function dibs.why_not_due(dibs.task_facts) is
  'Whether its time has not come: it failed and waits for its next attempt, or it was enqueued for later.';

create or replace function dibs.why_unclaimed(p_task dibs.task_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_granted_at timestamptz := dibs.last_grant_of(p_task.type);
  v_ahead bigint;
  v_reason text;
begin
  select coalesce(sum(dibs.count_of(r.run)), 0) into v_ahead
    from (
      select r.run from dibs.ready r
      where r.type = p_task.type and not r.run @> dibs.task_of(p_task.id)
        and (r.priority, r.run_at, lower(r.run)) < (p_task.priority, p_task.run_at, dibs.task_of(p_task.id))
      limit 10000
    ) r;
  v_reason := case
    when v_granted_at >= p_task.run_at then case when v_ahead > 0 then 'behind_others' else 'next' end
    when p_task.run_at > v_now - interval '1 minute' then 'next'
    else 'nobody_asked' end;
  return row(p_task.status, v_reason,
    jsonb_build_object('due_at', p_task.run_at, 'type', p_task.type, 'ahead', v_ahead, 'last_grant_at', v_granted_at,
      'functions_handle_it', p_task.type = any (dibs.handled_types())),
    null,
    case v_reason
      when 'behind_others' then
        'Its turn, when those ahead of it are claimed; more workers for its type bring it sooner.'
      when 'next' then 'The next worker that asks for its type.'
      else format('A worker that asks for the type %s. Since it is due, for %s minutes, none was given a task of that '
        || 'type: none asks, or what all of them are given is of other types.', p_task.type,
        floor(extract(epoch from v_now - p_task.run_at) / 60)) end)::dibs.explanation;
end $$;
comment on function dibs.why_unclaimed(dibs.task_facts) is
  'Nothing is in the way of it: whether its turn has not come, or nobody seems to ask for its type. Asking leaves no
trace; but who asks is given what is due, so that a due task without any grant since says that nobody did.';

create or replace function dibs.last_grant_of(p_type text) returns timestamptz
  language plpgsql stable set search_path = '' as $$
begin
  return greatest(
    (select max(l.started_at) from dibs.lease l
      where l.type = p_type or l.type = '' and exists (select from dibs.log_of(l.held) t where t.type = p_type)),
    (select o.started_at from dibs.outcome o
      where o.type = p_type and o.started_at is not null order by o.completed_at desc limit 1),
    (select max(o.started_at)
      from (select * from dibs.outcome where type = '' order by completed_at desc limit 100) o
      where exists (select from dibs.log_of(o.run) t where t.type = p_type)));
end $$;
comment on function dibs.last_grant_of(text) is
  'When somebody was last given a task of this type, as far as leases and the latest outcomes tell. Null: never.';

select dibs.seal();
