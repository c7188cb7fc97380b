-- Dispatch: when there is work and nobody at it, call the dispatch function, which starts drains.
--
-- A call may be lost, late or doubled. Nothing depends on it: every tick looks at the tables anew. What became of
-- each call is noted all the same, so that a project where none arrives is told so, and is not called all the time.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create table if not exists dibs.dispatch (
  id bigint generated always as identity primary key,
  reason text not null constraint reason_is_known check (reason in ('tick', 'wake', 'call')),
  state text not null default 'planned' constraint state_is_known
    check (state in ('planned', 'sent', 'answered', 'refused', 'timed_out', 'lost')),
  made_at timestamptz not null,
  http_request bigint,
  problem text,
  planned_at timestamptz,
  types text[],
  drains int
);
comment on table dibs.dispatch is
  'Every call to the dispatch function: why it was made, what became of it, how many drains it planned.
planned: not sent, and problem says why. sent: nothing came back yet. answered, refused, timed_out: so it ended. lost:
pg_net never sent it, or was stopped before it could note the answer. planned_at null: it did not arrive.';
do $$
begin
  if to_regclass('dibs.dispatch_made_at') is null then
    create index dispatch_made_at on dibs.dispatch (made_at desc);
    create index dispatch_sent on dibs.dispatch (id) where state = 'sent';
  end if;
end $$;

-- What cron runs -----------------------------------------------------------------------------------

create or replace function dibs.tick() returns bigint
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
  perform dibs.reap_leases(), dibs.reap_thoughts(null);
  perform dibs.tidy(), dibs.settle_dispatches();
  -- An idle project makes no call at all.
  if not dibs.work_waits() or dibs.calls_rest_until() > dibs.clock() then return null; end if;
  return dibs.call_dispatch('tick');
end $$;
comment on function dibs.tick() is
  'What pg_cron runs every few seconds: take back expired leases and, when work waits, call dispatch.
Returns the dispatch, or null for none.';

create or replace function dibs.wake(p_run_at timestamptz) returns void
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
begin
  if p_run_at > v_now or to_regnamespace('net') is null then return; end if;
  -- One call for a burst. Whoever comes while another is at it need not call either.
  if exists (select from dibs.dispatch where made_at > v_now - (select wake_debounce from dibs.settings)) then
    return;
  end if;
  if pg_try_advisory_xact_lock(hashtextextended('dibs.wake', 0)) and (dibs.calls_rest_until() > v_now) is not true then
    perform dibs.call_dispatch('wake');
  end if;
end $$;
comment on function dibs.wake(timestamptz) is
  'Work due at this moment (null: now) was enqueued: call dispatch at once rather than at the next tick.
The call leaves with the commit.';

create or replace function dibs.work_waits() returns boolean
  language plpgsql set search_path = '' as $$
declare
  -- Types without a handler here are other workers' business; the last plan said which there are.
  v_types text[] := (select types from dibs.dispatch where types is not null order by id desc limit 1);
begin
  return dibs.due_lanes(coalesce(v_types, array[''])) <> '{}'
    or exists (select from dibs.settings, unnest(dispatch_work_types) work_type where dibs.thoughts_wait(work_type));
end $$;
comment on function dibs.work_waits() is 'Whether a drain would find something to do.';

create or replace function dibs.call_dispatch(p_reason text) returns bigint
  language plpgsql set search_path = '' as $$
declare
  v_id bigint;
  v_url text;
  v_secret text;
begin
  insert into dibs.dispatch (reason, made_at) values (p_reason, dibs.clock()) returning id into v_id;
  begin
    v_url := (select decrypted_secret from vault.decrypted_secrets where name = 'dibs_project_url');
    v_secret := (select decrypted_secret from vault.decrypted_secrets where name = 'dibs_dispatch_secret');
    if v_url is null or v_secret is null then
      raise 'the Vault has no secret dibs_project_url or dibs_dispatch_secret';
    end if;
    update dibs.dispatch set state = 'sent', http_request = net.http_post(
        url := v_url || '/functions/v1/dispatch',
        body := jsonb_build_object('dispatch_id', v_id::text),
        headers := jsonb_build_object('Content-Type', 'application/json', 'x-dispatch-secret', v_secret),
        timeout_milliseconds := 5000)
      where id = v_id;
  exception when others then
    -- An enqueue must not fail because nobody can be woken.
    update dibs.dispatch set problem = sqlerrm where id = v_id;
  end;
  return v_id;
end $$;
comment on function dibs.call_dispatch(text) is
  'Post to the dispatch function through pg_net, with URL and secret from the Vault.
Returns the dispatch; why it could not be sent stands in its row.';

create or replace function dibs.tidy() returns void
  language plpgsql set search_path = '' as $$
begin
  delete from dibs.hint h where h.made_at < dibs.clock() - interval '1 minute' and exists (
    select from dibs.hint newer
    where newer.type = h.type and newer.priority = h.priority and newer.made_at > h.made_at);
  delete from dibs.dispatch where made_at < dibs.clock() - interval '7 days';
  delete from dibs.request where made_at < dibs.clock() - interval '1 day';
end $$;
comment on function dibs.tidy() is 'Delete hints nobody reads, and records nobody asks for any more.';

-- What the dispatch function asks ------------------------------------------------------------------

create or replace function public.plan_dispatch(p_dispatch_id text default null, p_types text[] default null)
  returns jsonb
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_now timestamptz := dibs.clock();
  v_settings dibs.settings := (select s from dibs.settings s);
  v_id bigint;
  v_due bigint;
  v_busy int;
  v_draining int;
  v_missing int;
  v_drains jsonb := '[]';
begin
  if p_dispatch_id is not null then v_id := dibs.parse_fence(p_dispatch_id); end if;
  -- Two plans at once would both start drains for the same backlog.
  perform pg_advisory_xact_lock(hashtextextended('dibs.plan', 0));

  -- Counted only as far as it matters: past the cap more backlog means no more drains.
  select coalesce(sum(length), 0) into v_due from (
    select dibs.count_of(r.run) as length
    from unnest(dibs.due_lanes(coalesce(p_types, array['']))) l,
      lateral (
        select run from dibs.ready where l.type = '' and priority = l.priority and run_at <= v_now
        union all
        select run from dibs.ready where type = l.type and priority = l.priority and run_at <= v_now
      ) r
    limit v_settings.max_drains * v_settings.tasks_per_drain
  ) r;
  -- A worker at other types is no help; the first task it holds says what it is at. Drains name themselves so.
  select count(distinct l.worker_id), count(distinct l.worker_id) filter (where l.worker_id like 'drain-%')
    into v_busy, v_draining
    from dibs.lease l, lateral dibs.id_of(lower(l.held)) first
    join dibs.log t on t.id >= first and t.id < dibs.id_of(dibs.task_of(first) + 1)
    where l.expires_at > v_now and (p_types is null or t.type = any (p_types));
  v_missing := least(v_settings.max_drains - v_draining, ceil(v_due / v_settings.tasks_per_drain::real) - v_busy);
  v_drains := (
    select coalesce(jsonb_agg(jsonb_build_object('types', p_types)), '[]') from generate_series(1, v_missing));

  v_drains := v_drains || (
    select coalesce(jsonb_agg(jsonb_build_object('work_type', work_type)), '[]')
    from unnest(v_settings.dispatch_work_types) wanted (work_type)
    where dibs.thoughts_wait(work_type) and not exists (
      select from public.thought_work_claims c
      where c.work_type = wanted.work_type and c.status = 'claimed' and c.ttl_expires_at > v_now
        and c.worker_id like 'drain-%'));

  update dibs.dispatch set planned_at = v_now, types = p_types, drains = jsonb_array_length(v_drains)
    where id = v_id and planned_at is null;
  if not found then
    insert into dibs.dispatch (reason, state, made_at, planned_at, types, drains)
      values ('call', 'answered', v_now, v_now, p_types, jsonb_array_length(v_drains)) returning id into v_id;
  end if;
  return jsonb_build_object('dispatch_id', v_id::text, 'drains', v_drains);
end $$;
comment on function public.plan_dispatch(text, text[]) is
  'How many drains the backlog needs: due tasks by settings.tasks_per_drain, minus the workers that are at such
tasks, never more than settings.max_drains at once; and one for each of settings.dispatch_work_types that has
thoughts waiting and no drain.
p_dispatch_id: the call this answers, if any. p_types: the task types the caller has handlers for.
Returns {dispatch_id, drains: [{types} or {work_type}]}. Errors: PT400 for bad input.';

select dibs.seal();
