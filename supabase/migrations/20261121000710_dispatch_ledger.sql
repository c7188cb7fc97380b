-- What became of the calls to dispatch, by what pg_net noted, and when calling rests because none gets through.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.settle_dispatches() returns void
  language plpgsql set search_path = '' as $$
begin
  if not exists (select from dibs.dispatch where state = 'sent')
    or not pg_try_advisory_xact_lock(hashtextextended('dibs.settle_dispatches', 0)) then return; end if;
  update dibs.dispatch d
  set state = case when r.status_code between 200 and 299 then 'answered' when r.status_code is not null then 'refused'
      when r.timed_out then 'timed_out' else 'lost' end,
    problem = case when r.status_code is null then coalesce(r.error_msg, 'no answer in time')
      when r.status_code not between 200 and 299 then 'dispatch answered ' || r.status_code end
  from net._http_response r
  -- By the one index that table has: others of the project may send far more than dispatches.
  where d.state = 'sent' and r.id = d.http_request and r.created > clock_timestamp() - interval '2 min';

  -- Nothing came back for longer than any call takes. Taken out of the queue, it cannot leave after the next one.
  with overdue as (
    select id, http_request, planned_at from dibs.dispatch
    where state = 'sent' and made_at < dibs.clock() - interval '30 s'
  ), unsent as (
    delete from net.http_request_queue where id in (select http_request from overdue) returning id
  )
  update dibs.dispatch d
  set state = case when o.planned_at is null then 'lost' else 'answered' end,
    problem = case
      when o.planned_at is not null then null
      when o.http_request in (select id from unsent) then
        'pg_net did not send it. Its worker seems to have ended: select net.worker_restart()'
      else 'pg_net has neither the request nor an answer: it was stopped meanwhile' end
  from overdue o where d.id = o.id;
exception when insufficient_privilege then
  -- Whoever ticks here may not see what pg_net did; then nothing is known of the calls.
  return;
end $$;
comment on function dibs.settle_dispatches() is
  'Note what became of the calls that were sent, by the answers pg_net keeps. After 30 seconds without one a call that
did not arrive is lost; the next tick makes another.';

create or replace function dibs.failed_dispatches() returns int
  language plpgsql stable set search_path = '' as $$
begin
  return (
    select count(*) from (
      select bool_and(state <> 'answered') over (order by id desc) as failed
      from (
        select id, state from dibs.dispatch
        where state not in ('planned', 'sent') order by id desc limit 20
      ) settled
    ) latest
    where failed);
end $$;
comment on function dibs.failed_dispatches() is
  'How many of the latest calls to dispatch failed one after the other, 20 at most. Not those that could not even be
sent: they cost nothing, and once the secrets are there the next one is to go at once.';

create or replace function dibs.calls_rest_until() returns timestamptz
  language plpgsql stable set search_path = '' as $$
declare
  v_failed int := dibs.failed_dispatches();
  v_settings dibs.settings := (select s from dibs.settings s);
begin
  -- A call that may start no drain is not worth making.
  if dibs.invocations_left() < 2 then
    return date_trunc('month', dibs.clock(), 'UTC') + interval '1 month';
  elsif v_failed < v_settings.failures_before_rest then
    return null;
  end if;
  return (select made_at from dibs.dispatch order by id desc limit 1)
    + least(v_settings.shortest_rest * 2 ^ (v_failed - v_settings.failures_before_rest), v_settings.longest_rest);
end $$;
comment on function dibs.calls_rest_until() is
  'Until when dispatch is not called: after settings.failures_before_rest in a row for settings.shortest_rest, then
twice as long each time, up to settings.longest_rest; until the month ends once settings.max_invocations_per_month are
used up. Null while calls get through.
Whoever calls dispatch and is answered ends a rest after failures.';

select dibs.seal();
