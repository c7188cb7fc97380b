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
    create index dispatch_planned on dibs.dispatch (id) where planned_at is not null;
    create index dispatch_sent on dibs.dispatch (id) where state = 'sent';
  end if;
end $$;

-- What cron runs -----------------------------------------------------------------------------------

create or replace function dibs.tick() returns bigint
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
  -- Work goes on, though counting it fails.
  begin
    perform dibs.take_look(), dibs.count_claims();
  exception when others then
    raise warning 'Dibs: nothing was counted: %', sqlerrm;
  end;
  perform dibs.reap_leases(), dibs.reap_thoughts(null), dibs.reap_sources(), dibs.tell_late(), dibs.run_schedules();
  perform dibs.tidy(), dibs.tidy_gates(), dibs.tidy_claim_gates(), dibs.settle_dispatches();
  -- A twentieth of the time at most, and so short that what was reaped above is not kept waiting.
  perform dibs.go_on_pruning(clock_timestamp() + (select tick_seconds from dibs.settings) * interval '50 ms');
  -- An idle project makes no call at all, nor does one whose drains are enough.
  if dibs.calls_rest_until() > dibs.clock() or dibs.drains_wanted(dibs.handled_types()) = '[]' then return null; end if;
  return dibs.call_dispatch('tick');
end $$;
comment on function dibs.tick() is
  'What pg_cron runs every few seconds: count what is new, take back expired leases, enqueue what schedules are due for
and, when work waits that nobody will soon be at, call dispatch.
Returns the dispatch, or null for none.';

create or replace function dibs.wake(p_run_at timestamptz, p_types text[] default null) returns void
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
begin
  if p_run_at > v_now or to_regnamespace('net') is null then return; end if;
  -- One call for a burst.
  if exists (select from dibs.dispatch where made_at > v_now - (select wake_debounce from dibs.settings)) then
    return;
  end if;
  -- A drain that has work asks for more when it is done; whether one is enough is for the next tick to see.
  if exists (select from dibs.lease where expires_at > v_now and worker_id like 'drain-%')
    or not p_types && dibs.handled_types() then return; end if;
  -- What has to pass a gate may not be let through.
  if (exists (select from dibs.gate) or exists (select from dibs.gated))
    and dibs.drains_wanted(coalesce(p_types, dibs.handled_types())) = '[]' then
    return;
  end if;
  -- Whoever comes while another is at it need not call either.
  if pg_try_advisory_xact_lock(hashtextextended('dibs.wake', 0)) and (dibs.calls_rest_until() > v_now) is not true then
    perform dibs.call_dispatch('wake');
  end if;
end $$;
comment on function dibs.wake(timestamptz, text[]) is
  'Work of these types (null: any), due at this moment (null: now), was enqueued: call dispatch at once rather than at
the next tick. The call leaves with the commit.';

create or replace function dibs.handled_types() returns text[]
  language plpgsql stable set search_path = '' as $$
begin
  -- What was deployed since may handle others. After so long a call for them is worth its price.
  return (
    select types from dibs.dispatch
    where planned_at is not null and types is not null and planned_at > dibs.clock() - interval '10 minutes'
    order by id desc limit 1);
end $$;
comment on function dibs.handled_types() is
  'The types of tasks that the functions have handlers for, as the last plan was told. Null when none was lately.
Other types are other workers'' business.';

create or replace function dibs.call_dispatch(p_reason text) returns bigint
  language plpgsql set search_path = '' as $$
declare
  v_id bigint;
  v_settings dibs.settings := (select s from dibs.settings s);
  v_url text;
  v_secret text;
begin
  insert into dibs.dispatch (reason, made_at) values (p_reason, dibs.clock()) returning id into v_id;
  begin
    v_url := (select decrypted_secret from vault.decrypted_secrets where name = v_settings.url_secret);
    v_secret := (select decrypted_secret from vault.decrypted_secrets where name = v_settings.dispatch_secret);
    if v_url is null or v_secret is null then
      raise 'the Vault has no secret % or %', v_settings.url_secret, v_settings.dispatch_secret;
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
declare
  v_now timestamptz := dibs.clock();
  v_settings dibs.settings := (select s from dibs.settings s);
begin
  delete from dibs.hint h where h.made_at < v_now - interval '1 minute' and exists (
    select from dibs.hint newer
    where newer.type = h.type and newer.priority = h.priority and newer.made_at > h.made_at);
  -- Where they are limited, those of this month are still to be counted.
  delete from dibs.dispatch where made_at < v_now - v_settings.keep_dispatches
    and (v_settings.max_invocations_per_month is null or made_at < date_trunc('month', v_now, 'UTC'));
  -- Every call of every worker may leave one. After a long stop there are many, and a tick is to be short.
  delete from dibs.request where id = any (array(
    select id from dibs.request where made_at < v_now - v_settings.keep_requests order by made_at limit 10000));
end $$;
comment on function dibs.tidy() is 'Delete hints nobody reads, and records nobody asks for any more.';

select dibs.seal();
