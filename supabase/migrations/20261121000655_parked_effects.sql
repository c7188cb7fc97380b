-- Effects of which nobody knows whether they happened. A person who asks the other side, or a program
-- that does, settles them, and the work goes on.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

select dibs.define_view('dibs.effect_in_doubt', $$
select e.*
from dibs.effect e
where e.state in ('begun', 'parked') and (e.state = 'parked'
  -- What has the provider's key is sent again. Anything else was begun by an attempt that is over.
  or e.mode = 'at_most_once'
    and not exists (select from dibs.lease l where l.fence = e.fence and l.held @> dibs.task_of(e.id))
    and not exists (
      select from public.thought_work_claims c
      where c.thought_id = e.thought_id and c.work_type = e.work_type and c.fence = e.fence and c.status = 'claimed'))
$$);
comment on view dibs.effect_in_doubt is
  'Effects that may have happened: parked, or begun by an attempt that is over and that nobody has followed yet.';

create or replace function public.parked_effects(p_limit int default 100)
  returns table (
    id uuid, type text, work_type text, key text, mode text, idempotency_key text, begun_at timestamptz,
    parked_at timestamptz)
  language plpgsql stable set search_path = '' as $$
begin
  perform dibs.check_between('p_limit', p_limit, 1, 1000);
  return query
    select e.id, (select l.type from dibs.log l where l.id = e.id and e.work_type = ''), nullif(e.work_type, ''), e.key,
      e.mode, dibs.idempotency_key(e.id, e.work_type, e.key), e.begun_at, e.parked_at
    from dibs.effect_in_doubt e
    order by e.begun_at, e.id, e.key, e.work_type
    limit p_limit;
end $$;
comment on function public.parked_effects(int) is
  'Effects of which nobody knows whether they happened, the oldest first, at most p_limit (up to 1000): begun by an
attempt that was cut off. settle_effect says what became of each.
type: of a task; work_type: of a thought. idempotency_key: what the provider was told. parked_at: when a later
attempt met it; null: none has yet.
Errors: PT400 for bad input.';

create or replace function public.settle_effect(
    p_id uuid, p_key text, p_happened boolean, p_result jsonb default null, p_work_type text default null)
  returns boolean
  language plpgsql set search_path = '' set enable_seqscan = off as $$
declare
  v_task int8multirange := int8multirange(int8range(dibs.task_of(p_id), dibs.task_of(p_id) + 1));
  v_work_types text[];
  v_again int8multirange;
begin
  if p_happened is null then
    perform dibs.refuse('PT400', 'p_happened must be true or false', 'Ask the other side whether it happened.');
  elsif p_result is not null and not p_happened then
    perform dibs.refuse('PT400', 'p_result goes with p_happened only');
  end if;
  -- The work before its effects, as whoever deletes it goes.
  perform dibs.one_at_a_time(), dibs.ended(v_task);
  perform from public.thoughts where id = dibs.thought_key(p_id) for key share;

  with settled as (
    update dibs.effect e
    set state = case when p_happened then 'done' else 'not_done' end, result = p_result,
      done_at = case when p_happened then dibs.clock() end
    where e.id = p_id and e.key = p_key and e.state in ('begun', 'parked') and e.work_type in (
      select d.work_type from dibs.effect_in_doubt d
      where d.id = p_id and d.key = p_key and (p_work_type is null or d.work_type = p_work_type))
    returning e.work_type
  )
  select coalesce(array_agg(work_type), '{}') into v_work_types from settled;
  if v_work_types = '{}' then
    perform dibs.refuse('PT404', 'there is no such effect in doubt', 'parked_effects() lists those there are.');
  elsif cardinality(v_work_types) > 1 then
    perform dibs.refuse('PT400', 'p_work_type must say which work on the thought this effect is of',
      'It is one of ' || array_to_string(v_work_types, ', ') || '.');
  end if;

  -- Not while it would only meet the next one.
  if exists (select from dibs.effect_in_doubt d where d.id = p_id and d.work_type = v_work_types[1]) then
    return false;
  elsif v_work_types[1] <> '' then
    return public.retry_failed_thoughts(v_work_types[1], array[dibs.thought_key(p_id)]) > 0;
  end if;
  v_again := dibs.revive(v_task, array['failed']);
  if isempty(v_again) then return false; end if;
  perform dibs.make_ready(v_again, dibs.clock()), dibs.wake(null);
  return true;
end $$;
comment on function public.settle_effect(uuid, text, boolean, jsonb, text) is
  'Say of an effect in doubt whether it happened, and let its work go on.
p_happened: true, and the next attempt goes on past it, with p_result for what came of it; false, and the next
attempt does it. p_work_type: which work on a thought, where several are in doubt.
A task or thought that failed waits again, due now, with all its attempts anew, once none of its effects is in
doubt. Returns whether it does so by this call.
Errors: PT404 when there is no such effect in doubt; PT400 for bad input.';

select dibs.seal();
