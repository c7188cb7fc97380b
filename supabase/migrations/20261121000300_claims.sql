-- Claims: workers name thoughts, and each gets only those it won, for one kind of work, until a
-- moment. Read claim_thoughts first. Every way to claim goes through lock_claimable and write_claims.
--
-- Statements are planned while the tables are small, and the plans stay when they are not. A condition
-- spelt x || '' is meant to fit no index, so that only the right one is left to choose.

create table if not exists public.thought_work_claims (
  thought_id uuid not null references public.thoughts (id) on delete cascade,
  work_type text not null,
  worker_id text not null,
  claimed_at timestamptz not null default now(),
  ttl_expires_at timestamptz not null,
  status text not null default 'claimed' check (status in ('claimed', 'succeeded', 'failed')),
  attempt_count int not null default 1,
  last_error text,
  primary key (thought_id, work_type)
);
-- Apart, so that a table that clients brought along gets them too.
alter table public.thought_work_claims
  add column if not exists fence bigint not null default nextval('dibs.fence'),
  add column if not exists finished_at timestamptz,
  add column if not exists max_attempts int,
  add column if not exists retry_at timestamptz;
alter table public.thought_work_claims enable row level security;

create index if not exists idx_twc_status_ttl
  on public.thought_work_claims (work_type, status, ttl_expires_at);
create index if not exists idx_twc_worker
  on public.thought_work_claims (worker_id) where status = 'claimed';
create index if not exists idx_twc_fence
  on public.thought_work_claims (fence);
create index if not exists idx_twc_retry
  on public.thought_work_claims (work_type, retry_at) where retry_at is not null;

comment on table public.thought_work_claims is
  'A row: a worker holds a thought for one kind of work (claimed), or is done with it (succeeded, failed). A
finished row keeps the thought from being claimed again until it is deleted.';
comment on column public.thought_work_claims.fence is
  'The grant this row comes from. A write with another fence comes too late.';
comment on column public.thought_work_claims.attempt_count is
  'Which attempt this is, counting those whose rows are gone.';
comment on column public.thought_work_claims.max_attempts is
  'After how many attempts the thought is quarantined. Null: never.';
comment on column public.thought_work_claims.retry_at is
  'When a failed row goes away by itself, so that the thought is claimed again.';

-- The contract -------------------------------------------------------------------------------------

create or replace function public.claim_thoughts(
  p_thought_ids uuid[], p_work_type text, p_worker_id text, p_ttl_seconds int default 900
) returns setof uuid
  language plpgsql set search_path = '' as $$
declare
  v_ids uuid[] := dibs.distinct_ids('p_thought_ids', p_thought_ids);
  v_granted uuid[];
begin
  perform dibs.check_claim(p_work_type, p_worker_id, 'p_ttl_seconds', p_ttl_seconds);
  select w.granted into v_granted
  from dibs.write_claims(
    dibs.lock_claimable(p_work_type, v_ids), p_work_type, p_worker_id, p_ttl_seconds, null) w;
  perform dibs.reap_thoughts(p_work_type);
  return query select unnest(v_granted);
end $$;
comment on function public.claim_thoughts(uuid[], text, text, int) is
  'Claim thoughts by id for one kind of work.
Returns the ids this worker won; the others are done, held, gone, or somebody is trying this moment: ask again
later. Takes expired claims of the work type away, also when no id is given.
PT400 bad input (at most 1000 ids), PT503 too many claims at once.';

create or replace function public.release_thought(
  p_thought_id uuid, p_work_type text, p_worker_id text, p_status text, p_error text default null
) returns boolean
  language plpgsql set search_path = '' as $$
declare
  v_claim public.thought_work_claims;
begin
  if p_status is null or p_status not in ('succeeded', 'failed') then
    perform dibs.refuse('PT400', 'p_status must be succeeded or failed',
      'To hand work back unfinished call release_claims_for_worker.');
  end if;
  select * into v_claim
  from public.thought_work_claims
  where thought_id = p_thought_id and work_type = p_work_type
  for update;
  if not found or v_claim.worker_id is distinct from p_worker_id or v_claim.status <> 'claimed' then
    return false;
  end if;
  update public.thought_work_claims
  set status = p_status, finished_at = dibs.clock(), last_error = dibs.clean_error(p_error)
  where thought_id = p_thought_id and work_type = p_work_type;
  perform dibs.forget_attempts(p_work_type, array[p_thought_id]);
  return true;
end $$;
comment on function public.release_thought(uuid, text, text, text, text) is
  'Finish a claim: status succeeded or failed, for good. True when this worker held it; false when not, or not any
more.
PT400 for another status.';

create or replace function public.release_claims_for_worker(p_work_type text, p_worker_id text) returns int
  language plpgsql set search_path = '' as $$
declare
  v_released int;
begin
  with held as materialized (
    select c.thought_id, c.work_type
    from public.thought_work_claims c
    where c.worker_id = p_worker_id and c.status = 'claimed'
      and (p_work_type is null or c.work_type = p_work_type)
    order by c.thought_id, c.work_type
    for update
  )
  delete from public.thought_work_claims c
  using held
  where c.thought_id = held.thought_id and c.work_type = held.work_type;
  get diagnostics v_released = row_count;
  return v_released;
end $$;
comment on function public.release_claims_for_worker(text, text) is
  'Hand back every open claim of a worker, so that others get the thoughts at once; burns no attempt. Null work
type: all of them.
Returns how many.';

-- Granting -----------------------------------------------------------------------------------------

create or replace function dibs.check_claim(
  p_work_type text, p_worker_id text, p_seconds_argument text, p_seconds int
) returns void
  language plpgsql immutable set search_path = '' as $$
begin
  perform dibs.check_label('p_work_type', p_work_type, 100);
  perform dibs.check_label('p_worker_id', p_worker_id, 200);
  perform dibs.check_between(p_seconds_argument, p_seconds, 1, 86400);
end $$;
comment on function dibs.check_claim(text, text, text, int) is
  'Refuse (PT400) what no claim can have.';

create or replace function dibs.distinct_ids(p_argument text, p_ids uuid[]) returns uuid[]
  language plpgsql immutable set search_path = '' as $$
begin
  if cardinality(p_ids) > 1000 then
    perform dibs.refuse('PT400',
      p_argument || ' has ' || cardinality(p_ids) || ' ids, at most 1000 go in one call',
      'Split them over several calls.');
  end if;
  return array(select distinct id from unnest(p_ids) id where id is not null order by id);
end $$;
comment on function dibs.distinct_ids(text, uuid[]) is
  'Ids as people send them, without nulls and repeats, in order. PT400 when there are more than 1000.';

create or replace function dibs.lock_claimable(p_work_type text, p_ids uuid[]) returns uuid[]
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_bitmapscan = off set enable_material = off
  set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  v_now timestamptz := dibs.clock();
  v_ids uuid[];
begin
  -- What is plainly taken goes first, because each lock below takes shared memory.
  v_ids := array(
    select wanted.id
    from unnest(p_ids) wanted (id)
    where not exists (
      select from public.thought_work_claims c
      where c.thought_id = wanted.id and c.work_type = p_work_type
        and (c.status <> 'claimed' or c.ttl_expires_at > v_now)));
  if v_ids = '{}' then return v_ids; end if;
  v_ids := dibs.lock_claiming(p_work_type, v_ids);
  v_ids := dibs.lock_thoughts(v_ids);
  return dibs.lock_unclaimed(p_work_type, v_ids, v_now);
end $$;
comment on function dibs.lock_claimable(text, uuid[]) is
  'Those of the thoughts that can be had, kept from everybody else until the end of the transaction.
Never waits for another claimer: whatever somebody else is at is left to them.';

create or replace function dibs.write_claims(
  p_ids uuid[], p_work_type text, p_worker_id text, p_ttl_seconds int, p_max_attempts int,
  out fence bigint, out granted uuid[]
)
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_bitmapscan = off set enable_material = off
  set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  -- Both only now that all is locked: the lease must not begin, nor the fence be drawn, before the
  -- last holder of any of the thoughts is gone.
  v_now timestamptz := dibs.clock();
  v_fence bigint := nextval('dibs.fence');
begin
  with written as (
    insert into public.thought_work_claims as c
      (thought_id, work_type, worker_id, claimed_at, ttl_expires_at,
        attempt_count, last_error, fence, max_attempts)
    select wanted.id, p_work_type, p_worker_id, v_now, v_now + make_interval(secs => p_ttl_seconds),
      coalesce(m.attempts, 0) + 1, m.last_error, v_fence, p_max_attempts
    from unnest(p_ids) wanted (id)
    left join dibs.thought_attempt m on m.thought_id = wanted.id and m.work_type = p_work_type
    order by wanted.id
    on conflict (thought_id, work_type) do update
    set worker_id = excluded.worker_id, claimed_at = excluded.claimed_at,
      ttl_expires_at = excluded.ttl_expires_at, attempt_count = c.attempt_count + 1,
      fence = excluded.fence, max_attempts = excluded.max_attempts
    where c.status = 'claimed' and c.ttl_expires_at <= v_now
    returning c.thought_id
  )
  select v_fence, coalesce(array_agg(thought_id), '{}') into fence, granted from written;
end $$;
comment on function dibs.write_claims(uuid[], text, text, int, int) is
  'Write the claims of one grant, on thoughts that lock_claimable gave. Returns its fence and its thoughts.';

create or replace function dibs.lock_claiming(p_work_type text, p_ids uuid[]) returns uuid[]
  language plpgsql set search_path = '' as $$
begin
  return array(
    select id from unnest(p_ids) id
    where pg_try_advisory_xact_lock(hashtextextended('dibs.claim:' || p_work_type || ':' || id, 0)));
exception when out_of_memory then
  perform dibs.refuse('PT503', 'too many claims at once for the lock table of this database',
    'Ask for fewer thoughts in one call, or raise max_locks_per_transaction.');
end $$;
comment on function dibs.lock_claiming(text, uuid[]) is
  'Those ids that nobody else is claiming this moment, for the rest of the transaction. PT503 when the lock table
is full.';

create or replace function dibs.lock_thoughts(p_ids uuid[]) returns uuid[]
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_bitmapscan = off set enable_material = off
  set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return array(
    select t.id from public.thoughts t where t.id = any (p_ids) order by t.id for key share skip locked);
end $$;
comment on function dibs.lock_thoughts(uuid[]) is
  'Those ids that are thoughts and not being deleted, kept from deletion for the rest of the transaction.';

create or replace function dibs.lock_unclaimed(p_work_type text, p_ids uuid[], p_now timestamptz)
  returns uuid[]
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_bitmapscan = off set enable_material = off
  set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  v_expired uuid[];
begin
  v_expired := array(
    select c.thought_id
    from unnest(p_ids) wanted (id)
    join public.thought_work_claims c on c.thought_id = wanted.id and c.work_type = p_work_type
    where c.status || '' = 'claimed' and c.ttl_expires_at <= p_now
      and (c.max_attempts is null or c.attempt_count < c.max_attempts)
    for update of c skip locked);
  -- A claim that is there but was not locked is being renewed, released or reaped, or has no attempt left.
  return array(
    select wanted.id
    from unnest(p_ids) wanted (id)
    where not exists (
      select from public.thought_work_claims c where c.thought_id = wanted.id and c.work_type = p_work_type)
    union all
    select unnest(v_expired));
end $$;
comment on function dibs.lock_unclaimed(text, uuid[], timestamptz) is
  'Those ids that have no claim, or an expired one that nobody else is working on; the expired ones locked.';

select dibs.seal();
