-- The effect ledger: what a handler does outside the database (an email, a payment) is noted before and
-- after, under a key of the work and the effect, never of the attempt. So the attempt after a crash knows.

create table if not exists dibs.effect (
  id uuid not null,
  key text not null,
  mode text not null constraint mode_is_known check (mode in ('provider_key', 'at_most_once')),
  state text not null constraint state_is_known check (state in ('begun', 'done', 'parked')),
  result jsonb,
  begun_at timestamptz not null,
  done_at timestamptz,
  primary key (id, key)
);
comment on table dibs.effect is
  'Effects outside the database, by task or thought. parked: begun by an attempt that was cut off; nobody knows
whether it happened, a person decides.';
alter table dibs.effect enable row level security;

create or replace function public.effect_begin(p_fence text, p_id uuid, p_key text, p_mode text default 'at_most_once')
  returns jsonb
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_effect dibs.effect;
  v_state text;
begin
  perform dibs.check_label('p_key', p_key, 200);
  if p_mode is null or p_mode not in ('provider_key', 'at_most_once') then
    perform dibs.refuse('PT400', 'p_mode must be provider_key or at_most_once',
      'provider_key: the provider drops a repeat of the same idempotency key. at_most_once: it does not.');
  end if;
  perform dibs.assert_held(dibs.parse_fence(p_fence), p_id);

  insert into dibs.effect (id, key, mode, state, begun_at)
    values (p_id, p_key, p_mode, 'begun', dibs.clock()) on conflict do nothing;
  if found then
    v_state := 'go';
  else
    select * into v_effect from dibs.effect where id = p_id and key = p_key for update;
    v_state := case
      when v_effect.state = 'done' then 'done'
      when v_effect.mode = 'provider_key' then 'go'
      else 'parked' end;
    if v_state = 'parked' then
      update dibs.effect set state = 'parked' where id = p_id and key = p_key;
    end if;
  end if;
  return jsonb_build_object('state', v_state, 'result', v_effect.result, 'idempotency_key', p_id || ':' || p_key);
end $$;
comment on function public.effect_begin(text, uuid, text, text) is
  'Ask to do an effect outside the database on behalf of a task or thought that p_fence holds.
p_key names the effect within the work.
p_mode: provider_key when the provider drops repeats of an idempotency key, at_most_once when it does not.
Returns {state, result, idempotency_key}. go: do it, then effect_done. done: it was done before, here is its
result. parked: an earlier attempt was cut off in between; doing it again might double it, so a person decides.
Errors: PT409 when the lease is lost; PT400 for bad input.';

create or replace function public.effect_done(p_fence text, p_id uuid, p_key text, p_result jsonb default null)
  returns boolean
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
  -- Not fenced: that it happened is true, also when the lease was lost meanwhile.
  perform dibs.parse_fence(p_fence);
  update dibs.effect set state = 'done', result = p_result, done_at = dibs.clock()
    where id = p_id and key = p_key and state <> 'done';
  return found;
end $$;
comment on function public.effect_done(text, uuid, text, jsonb) is
  'Note that an effect happened, with what the provider answered.
Returns false when it was not begun or already noted.';

create or replace function dibs.assert_held(p_fence bigint, p_id uuid) returns void
  language plpgsql set search_path = '' as $$
begin
  perform from dibs.lease where fence = p_fence and held @> dibs.task_of(p_id) for share;
  if found then return; end if;
  -- Only the primary key fits this; see 300_claims.
  perform from public.thought_work_claims
    where thought_id = p_id and fence + 0 = p_fence and status || '' = 'claimed' for share;
  if found then return; end if;
  perform dibs.refuse('PT409', 'lost: this fence does not hold ' || coalesce(p_id::text, 'null') || ' any more',
    'Stop working on it: somebody else has it, or will.');
end $$;
comment on function dibs.assert_held(bigint, uuid) is
  'Refuse (PT409) unless the lease holds this task or thought; it cannot be taken from the lease before the
transaction ends.';

select dibs.seal();
