-- Claims with a fence: what a claim call grants is one lease, renewed and settled by its fence.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

select dibs.define_for_sources('450 leases', 'every source', $define$
create or replace function dibs.grant_next_{thoughts}(
  p_work_type text, p_worker_id text, p_limit int, p_lease_seconds int, p_max_attempts int
) returns bigint
  language plpgsql set search_path = '' as $$
declare
  v_ids {type}[];
  v_reaped int;
begin
  if (p_work_type ~ '^[\w.:@/-]{1,100}$' and p_worker_id ~ '^[\w.:@/-]{1,200}$' and p_limit between 1 and 1000
      and p_lease_seconds between 1 and 86400 and p_max_attempts between 1 and 1000) is not true then
    perform dibs.check_claim(p_work_type, p_worker_id, 'p_lease_seconds', p_lease_seconds),
      dibs.check_between('p_limit', p_limit, 1, 1000),
      dibs.check_between('p_max_attempts', p_max_attempts, 1, 1000);
  end if;
  v_reaped := dibs.reap_work_type{of}(p_work_type);
  if exists (select from dibs.claim_gate) then
    -- What would not be let through need not be taken.
    p_limit := least(p_limit, dibs.room_for_{thoughts}(p_work_type));
    if p_limit = 0 then return null; end if;
  end if;
  v_ids := dibs.lock_next_claimable{of}(p_work_type, p_limit);
  return dibs.write_claims{of}(v_ids, p_work_type, p_worker_id, p_lease_seconds, p_max_attempts);
end $$;
comment on function dibs.grant_next_{thoughts}(text, text, int, int, int) is
  'Grant up to so many {thing}s that have no claim. Returns the fence of the grant, null when it would be empty.
PT400 for what no claim can have.';

-- Renewing and settling ----------------------------------------------------------------------------

create or replace function dibs.renew_{thoughts}(p_fence bigint, p_lease_seconds int) returns setof {type}
  language plpgsql set search_path = '' as $$
declare
  v_held {type}[] := dibs.lock_held_{thoughts}(p_fence);
  v_now timestamptz := dibs.clock();
begin
  update {claims} c
  set ttl_expires_at = v_now + p_lease_seconds * interval '1 s'
  where c.fence = p_fence and c.status || '' = 'claimed';
  return query select unnest(v_held);
end $$;
comment on function dibs.renew_{thoughts}(bigint, int) is
  'Hold what is still held for so many seconds more.
Returns those ids. A lease that ran out and that nobody took away counts as held.';

create or replace function dibs.lock_held_{thoughts}(p_fence bigint) returns {type}[]
  language plpgsql set search_path = '' as $$
begin
  return array(
    select c.{id}
    from {claims} c
    where c.fence = p_fence and c.status || '' = 'claimed'
    order by {send}(c.{id})
    for update);
end $$;
comment on function dibs.lock_held_{thoughts}(bigint) is
  'What a grant still holds, locked, so that it stays held until the end of the transaction.';

create or replace function dibs.end_claims{of}(
  p_fence bigint, p_ids {type}[], p_statuses text[], p_errors text[], p_permanent boolean[]
) returns {type}[]
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_ended {type}[];
  v_work_type text;
  v_attempts int;
  v_released {type}[];
begin
  with ended as (
    update {claims} c
    set status = o.status, finished_at = v_now, last_error = o.error,
      retry_at = case when o.status = 'failed' and o.permanent is not true
          and (c.max_attempts is null or c.attempt_count < c.max_attempts)
        then v_now + dibs.backoff(c.attempt_count) end
    from unnest(p_ids, p_statuses, p_errors, p_permanent) o (id, status, error, permanent)
    where c.{id} = any (array[o.id])
      and c.fence + 0 = p_fence and c.status || '' = 'claimed' and o.status <> 'released'
    returning c.{id}, c.work_type, c.attempt_count
  )
  select array_agg({id}), min(work_type), max(attempt_count) into v_ended, v_work_type, v_attempts from ended;
  if v_attempts > 1 then perform dibs.forget_attempts{of}(v_work_type, v_ended); end if;
  if cardinality(v_ended) = cardinality(p_ids) then return '{}'; end if;

  if 'released' = any (p_statuses) then
    with released as (
      delete from {claims} c
      using unnest(p_ids, p_statuses) o (id, status)
      where c.{id} = any (array[o.id])
        and c.fence + 0 = p_fence and c.status || '' = 'claimed' and o.status = 'released'
      returning c.{id}
    )
    select array_agg({id}) into v_released from released;
  end if;

  -- What ended under this fence as it is told to end now may have done so in an earlier call.
  return array(
    select o.id
    from unnest(p_ids, p_statuses) o (id, status)
    where not exists (
      select from {claims} c
      where c.{id} = o.id and c.fence + 0 = p_fence and c.status || '' = o.status offset 0)
    except select unnest(v_released)
    order by 1);
end $$;
comment on function dibs.end_claims{of}(bigint, {type}[], text[], text[], boolean[]) is
  'Give the locked claims of a lease their outcomes.
Returns the ids that this fence does not hold, nor has ended in the same way.';
$define$);

-- Thoughts -----------------------------------------------------------------------------------------

select dibs.define_for_sources('451 leases on thoughts', 'thoughts', $define$
create or replace function public.claim_named_thoughts(
  p_work_type text, p_worker_id text, p_thought_ids {type}[], p_lease_seconds int default 900,
  p_max_attempts int default 5, p_request_id text default null
) returns table (
  thought_id {told}, fence text, attempt int, lease_expires_at timestamptz, lease_ms int, content text, metadata jsonb
)
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_before jsonb;
  v_fence bigint;
begin
  perform dibs.check_between('p_max_attempts', p_max_attempts, 1, 1000);
  if p_request_id is not null then v_before := dibs.recall('claim_named_thoughts', p_request_id); end if;
  v_fence := v_before;
  if v_before is null then
    v_fence := dibs.grant_named_thoughts(
      p_thought_ids, p_work_type, p_worker_id, 'p_lease_seconds', p_lease_seconds, p_max_attempts);
    if p_request_id is not null then
      perform dibs.remember('claim_named_thoughts', p_request_id, to_jsonb(coalesce(v_fence, 0)));
    end if;
  end if;
  return query select * from dibs.granted_thoughts(v_fence);
end $$;
comment on function public.claim_named_thoughts(text, text, {type}[], int, int, text) is
  'Claim thoughts by id, like claim_thoughts, and get the fence to renew and settle them by. A repeated request id
returns what its grant still holds.
PT400 bad input, PT503 too many claims at once.';

create or replace function public.claim_next_thoughts(
  p_work_type text, p_worker_id text, p_limit int default 1, p_lease_seconds int default 900,
  p_max_attempts int default 5, p_request_id text default null
) returns table (
  thought_id {told}, fence text, attempt int, lease_expires_at timestamptz, lease_ms int, content text, metadata jsonb
)
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_before jsonb;
  v_fence bigint;
begin
  if p_request_id is not null then v_before := dibs.recall('claim_next_thoughts', p_request_id); end if;
  v_fence := v_before;
  if v_before is null then
    v_fence := dibs.grant_next_thoughts(p_work_type, p_worker_id, p_limit, p_lease_seconds, p_max_attempts);
    if p_request_id is not null then
      perform dibs.remember('claim_next_thoughts', p_request_id, to_jsonb(coalesce(v_fence, 0)));
    end if;
  end if;
  return query select * from dibs.granted_thoughts(v_fence);
end $$;
comment on function public.claim_next_thoughts(text, text, int, int, int, text) is
  'Claim up to p_limit thoughts that have no claim of this work type. Fewer than asked for may also mean that
another caller is searching: ask again. Over very many thoughts new ones may take a while to be found, see
dibs.fill_pool. A repeated request id returns what its grant still holds.
PT400 bad input, PT503 too many claims at once.';

create or replace function dibs.thought_key(p_id uuid) returns {type}
  language sql immutable set search_path = '' as $$
  select {uuid_as_key}
$$;
comment on function dibs.thought_key(uuid) is
  'What is the id of a thought or of a task, as that of a thought: null where thoughts have no uuids.';

create or replace function dibs.granted_thoughts(p_fence bigint) returns table (
  thought_id {told}, fence text, attempt int, lease_expires_at timestamptz, lease_ms int, content text, metadata jsonb
)
  language plpgsql stable set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
begin
  return query
    select c.thought_id::{told}, {fence}c.fence::text, c.attempt_count, c.ttl_expires_at,
      greatest(0, date_part('epoch', c.ttl_expires_at - v_now) * 1000)::int, t.content, t.metadata
    from public.thought_work_claims c,
      lateral (select t.content, t.metadata from public.thoughts t where t.id = c.thought_id offset 0) t
    where c.fence = p_fence and c.status || '' = 'claimed'
    order by {send}(c.thought_id);
end $$;
comment on function dibs.granted_thoughts(bigint) is
  'What a grant still holds, with what a worker needs of it.';

create or replace function dibs.settle_thoughts(
  p_fence bigint, p_outcomes jsonb, p_rest text, out settled int, out lost {told}[]
)
  language plpgsql set search_path = '' as $$
declare
  v_ids {type}[] := '{}';
  v_statuses text[] := '{}';
  v_errors text[];
  v_metadata jsonb[];
  v_permanent boolean[];
  v_edits boolean;
  v_held {type}[];
  v_rest {type}[] := '{}';
begin
  if p_rest not in ('succeeded', 'failed', 'released') then perform dibs.check_rest(p_rest); end if;
  if p_outcomes <> '[]' then
    select array_agg(id order by id), array_agg(status order by id), array_agg(error order by id),
        array_agg(metadata order by id), array_agg(permanent order by id), bool_or(metadata is not null)
      into v_ids, v_statuses, v_errors, v_metadata, v_permanent, v_edits
      from {read_outcomes};
    if v_edits then
      -- Thoughts before their claims, each in the order of ids: whoever deletes a thought goes the same way.
      perform from unnest(v_ids, v_metadata) o (id, metadata),
          lateral (select from public.thoughts t where t.id = o.id for no key update offset 0) t
        where o.metadata is not null;
    end if;
  end if;

  v_held := dibs.lock_held_thoughts(p_fence);
  if v_edits then
    update public.thoughts t
    set metadata = coalesce(t.metadata, '{}') || o.metadata
    from unnest(v_ids, v_metadata) o (id, metadata)
    where t.id = any (array[o.id]) and o.metadata is not null and o.id = any (v_held);
  end if;
  if p_rest is not null then
    v_rest := case v_ids when '{}' then v_held else array(select unnest(v_held) except select unnest(v_ids)) end;
    v_statuses := v_statuses || array_fill(p_rest, array[cardinality(v_rest)]);
  end if;
  lost := dibs.end_claims(p_fence, v_ids || v_rest, v_statuses, v_errors, v_permanent);
  settled := cardinality(v_ids) + cardinality(v_rest) - cardinality(lost);
end $$;
comment on function dibs.settle_thoughts(bigint, jsonb, text) is
  'Settle thoughts of one lease, as settle_lease says: all that is named and still held, and with p_rest all else
it holds.';

create or replace function public.settle_and_claim_thoughts(
  p_fence text, p_outcomes jsonb, p_rest text, p_work_type text, p_worker_id text, p_limit int,
  p_lease_seconds int default 900, p_max_attempts int default 5, p_request_id text default null
) returns json
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_before jsonb;
  v_done record;
  v_fence bigint := {parse_fence};
begin
  if p_request_id is not null then v_before := dibs.recall('settle_and_claim_thoughts', p_request_id); end if;
  if v_before is null then
    v_done := dibs.settle_thoughts(v_fence, p_outcomes, p_rest);
    v_fence := dibs.grant_next_thoughts(p_work_type, p_worker_id, p_limit, p_lease_seconds, p_max_attempts);
    if p_request_id is not null then
      perform dibs.remember('settle_and_claim_thoughts', p_request_id,
        to_jsonb(v_done) || jsonb_build_object('fence', v_fence));
    end if;
  else
    select * into v_done from jsonb_to_record(v_before) as s(settled int, lost {told}[]);
    v_fence := v_before ->> 'fence';
  end if;
  return (
    -- Put together as text: a hundred objects built as json cost as much as claiming them.
    select json_build_object(
      'settled', v_done.settled, 'lost', v_done.lost, 'fence', min(g.fence),
      'lease_expires_at', min(g.lease_expires_at), 'lease_ms', coalesce(min(g.lease_ms), 0),
      'thoughts', format('[%s]', string_agg(format('{"id":"%s","attempt":%s,"content":%s,"metadata":%s}',
        g.thought_id, g.attempt, to_json(g.content), coalesce(g.metadata, 'null')), ','))::json)
    from dibs.granted_thoughts(v_fence) g);
end $$;
comment on function public.settle_and_claim_thoughts(text, jsonb, text, text, text, int, int, int, text) is
  'settle_lease and claim_next_thoughts in one round trip and one transaction.
Returns {settled, lost, fence, lease_expires_at, lease_ms, thoughts: [{id, attempt, content, metadata}]};
nothing to claim: fence null, thoughts empty. A repeated request id settles nothing again and returns what its
grant still holds.
PT400 bad input, PT503 too many claims at once.';
$define$);

select dibs.seal();
