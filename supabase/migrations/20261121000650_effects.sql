-- The effect ledger: what a handler does outside the database (an email, a payment) is noted before and
-- after, under a key of the work and the effect, never of the attempt. So the attempt after a crash knows.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

select dibs.define_for_sources('650 effects', 'thoughts', $define$
create table if not exists dibs.effect (
  id uuid not null,
  key text not null,
  -- Of thoughts. One thought has work of several types, each with effects of its own.
  work_type text not null default '',
  thought_id {type} generated always as (case when work_type <> '' then {id_of_effect} end) stored
    references public.thoughts (id) on delete cascade,
  mode text not null constraint mode_is_known check (mode in ('provider_key', 'at_most_once')),
  state text not null constraint state_is_known check (state in ('begun', 'done', 'parked', 'not_done')),
  fence bigint not null,
  request_id text,
  result jsonb,
  begun_at timestamptz not null,
  parked_at timestamptz,
  done_at timestamptz,
  primary key (id, key, work_type)
);
$define$);
comment on table dibs.effect is
  'Effects outside the database, by task or thought. fence: the grant that began it. parked: an attempt found it begun
by an earlier one, and nobody knows whether it happened; not_done: a person knows that it did not.';
do $$
begin
  if to_regclass('dibs.effect_by_thought') is null then
    create index effect_by_thought on dibs.effect (thought_id) where thought_id is not null;
    create index effect_open on dibs.effect (begun_at) where state in ('begun', 'parked');
  end if;
end $$;

create or replace function public.effect_begin(
    p_fence text, p_id uuid, p_key text, p_mode text default 'at_most_once', p_key_hours int default 23,
    p_request_id text default null)
  returns jsonb
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_fence bigint := dibs.parse_fence(p_fence);
  v_work_type text;
  v_now timestamptz;
  v_effect dibs.effect;
  v_state text := 'go';
begin
  perform dibs.check_label('p_key', p_key, 200), dibs.check_between('p_key_hours', p_key_hours, 1, 8760);
  if p_request_id is not null then perform dibs.check_label('p_request_id', p_request_id, 200); end if;
  if p_mode is null or p_mode not in ('provider_key', 'at_most_once') then
    perform dibs.refuse('PT400', 'p_mode must be provider_key or at_most_once',
      'provider_key: the provider drops a repeat of the same idempotency key. at_most_once: it does not.');
  elsif p_id is null then
    perform dibs.refuse('PT400', 'p_id must be the id of a task or thought');
  end if;
  v_work_type := dibs.assert_held(v_fence, p_id);
  v_now := dibs.clock();

  insert into dibs.effect as e (id, key, work_type, mode, state, fence, request_id, begun_at)
    values (p_id, p_key, v_work_type, p_mode, 'begun', v_fence, p_request_id, v_now)
    on conflict (id, key, work_type) do update
    set mode = excluded.mode, state = 'begun', fence = excluded.fence, request_id = excluded.request_id,
      begun_at = excluded.begun_at, parked_at = null
    where e.state = 'not_done';
  if not found then
    select * into v_effect from dibs.effect where id = p_id and key = p_key and work_type = v_work_type for update;
    v_state := case
      when v_effect.state = 'done' then 'done'
      when v_effect.state = 'begun' and v_effect.request_id = p_request_id then 'go'
      when v_effect.state = 'begun' and v_effect.mode = 'provider_key'
        and v_effect.begun_at > v_now - p_key_hours * interval '1 hour' then 'go'
      else 'parked' end;
    if v_effect.state = 'begun' and v_state = 'go' then
      update dibs.effect set fence = v_fence, request_id = p_request_id
        where id = p_id and key = p_key and work_type = v_work_type;
    elsif v_effect.state = 'begun' then
      update dibs.effect set state = 'parked', parked_at = v_now
        where id = p_id and key = p_key and work_type = v_work_type;
    end if;
  end if;
  return jsonb_build_object('state', v_state, 'result', v_effect.result,
    'idempotency_key', dibs.idempotency_key(p_id, v_work_type, p_key));
end $$;
comment on function public.effect_begin(text, uuid, text, text, int, text) is
  'Ask to do an effect outside the database on behalf of a task or thought that p_fence holds.
p_key names the effect within the work.
p_mode: provider_key when the provider drops repeats of an idempotency key, at_most_once when it does not.
p_key_hours: for how long the provider remembers keys, and a little less. What was begun longer ago is in doubt
like any other.
p_request_id: a repeat of the same request is answered the same.
Returns {state, result, idempotency_key}. go: do it, then effect_done. done: it was done before, here is its
result. parked: an earlier attempt was cut off in between; doing it again might double it, so a person decides:
settle_effect.
Errors: PT409 when the lease is lost or its time has run out; PT400 for bad input.';

create or replace function public.effect_done(p_fence text, p_id uuid, p_key text, p_result jsonb default null)
  returns boolean
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_effect dibs.effect;
begin
  -- Not fenced: that it happened is true, also when the lease was lost meanwhile. Only where the id is a thought's does
  -- the fence tell which work on it this was.
  select * into v_effect from dibs.effect
    where id = p_id and key = p_key and (work_type = '' or fence = dibs.parse_fence(p_fence));
  if v_effect.state = 'parked' then
    -- Whoever was thought to be cut off has come after all.
    perform public.settle_effect(p_id, p_key, true, p_result, nullif(v_effect.work_type, ''));
    return true;
  end if;
  update dibs.effect set state = 'done', result = p_result, done_at = dibs.clock()
    where id = p_id and key = p_key and work_type = v_effect.work_type and state <> 'done';
  return found;
exception when sqlstate 'PT404' then
  return false;  -- somebody else settled it a moment ago
end $$;
comment on function public.effect_done(text, uuid, text, jsonb) is
  'Note that an effect happened, with what the provider answered. Needs no lease: what happened, happened.
If a later attempt has parked it meanwhile, this settles it, and work that failed for it waits again.
Returns false when it was not begun or already noted.';

create or replace function dibs.idempotency_key(p_id uuid, p_work_type text, p_key text) returns text
  language sql immutable set search_path = '' as $$
  -- Providers take 255 characters; a work type as it is might not leave room for them.
  select p_id || ':' || case p_work_type when '' then '' else left(md5(p_work_type), 8) || ':' end || p_key
$$;
comment on function dibs.idempotency_key(uuid, text, text) is
  'What a provider is told an effect by: the same for each attempt, another for each work and effect.';

select dibs.seal();
