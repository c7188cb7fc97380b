-- Claims: workers name thoughts, and each gets only those it won, for one kind of work, until a
-- moment. Read claim_thoughts first. Every way to claim goes through lock_claimable and write_claims.
--
-- Statements are planned once a session, perhaps while a table is empty and every index as good as the
-- next, and the plans stay when it is not. So no statement here leaves a choice:
--   x || '' = …              fits no index, so that only the index of the other conditions is left;
--   lateral (… offset 0)     is looked up by what comes from outside, row for row;
--   x = any (array[o.x])     the same for the table that a statement changes: it cannot come first;
--   order by uuid_send(id)   is the order of ids, by a sort and not by walking along a whole index.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

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

create or replace function dibs.fence_out() returns trigger
  language plpgsql set search_path = '' as $$
begin
  new.fence := nextval('dibs.fence');
  return new;
end $$;
comment on function dibs.fence_out() is
  'A claim that a client takes over by an update of its own is another grant: whoever had it comes too late.';

select dibs.define_for_sources('300 claims', 'every source', $define$
create table if not exists {claims} (
  {id} {type}{collate} not null references {table} ({key}) on delete cascade,
  work_type text not null,
  worker_id text not null,
  claimed_at timestamptz not null default now(),
  ttl_expires_at timestamptz not null,
  status text not null default 'claimed' check (status in ('claimed', 'succeeded', 'failed')),
  attempt_count int not null default 1,
  last_error text,
  {version_column}primary key ({id}, work_type)
);
-- Apart, so that a table that clients brought along gets them too.
do $$
begin
  if 4 > (
    select count(*) from pg_attribute
    where attrelid = '{claims}'::regclass
      and attname in ('fence', 'finished_at', 'max_attempts', 'retry_at')
  ) then
    alter table {claims}
      add column if not exists fence bigint not null default nextval('dibs.fence'),
      add column if not exists finished_at timestamptz,
      add column if not exists max_attempts int,
      add column if not exists retry_at timestamptz;
  end if;
  if to_regclass('public.{index}_status_ttl') is null then
    create index {index}_status_ttl on {claims} (work_type, status, ttl_expires_at);
  end if;
  if to_regclass('public.{index}_worker') is null then
    create index {index}_worker on {claims} (worker_id) where status = 'claimed';
  end if;
  if to_regclass('public.{index}_fence') is null then
    create index {index}_fence on {claims} (fence);
  end if;
  if to_regclass('public.{index}_retry') is null then
    create index {index}_retry on {claims} (work_type, retry_at) where retry_at is not null;
  end if;
end $$;

comment on table {claims} is
  'A row: a worker holds a {thing} for one kind of work (claimed), or is done with it (succeeded, failed). A
finished row keeps the {thing} from being claimed again until it is deleted.';
comment on column {claims}.fence is
  'The grant this row comes from. A write with another fence comes too late.';
comment on column {claims}.attempt_count is
  'Which attempt this is, counting those whose rows are gone.';
comment on column {claims}.max_attempts is
  'After how many attempts the {thing} is quarantined. Null: never.';
comment on column {claims}.retry_at is
  'When a failed row goes away by itself, so that the {thing} is claimed again.';

-- Handing back -------------------------------------------------------------------------------------

create or replace function {api}.release_claims_for_worker{of}(p_work_type text, p_worker_id text) returns int
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_released int;
begin
  with held as materialized (
    select c.{id}, c.work_type
    from {claims} c
    where c.worker_id = p_worker_id and c.status = 'claimed'
      and (p_work_type is null or c.work_type || '' = p_work_type)
    order by {send}(c.{id}), c.work_type
    for update
  )
  delete from {claims} c
  using held
  where c.{id} = any (array[held.{id}]) and c.work_type || '' = held.work_type;
  get diagnostics v_released = row_count;
  return v_released;
end $$;
comment on function {api}.release_claims_for_worker{of}(text, text) is
  'Hand back every open claim of a worker, so that others get the {thing}s at once; burns no attempt. Null work
type: all of them.
Returns how many.';

-- Granting -----------------------------------------------------------------------------------------

create or replace function dibs.grant_named_{thoughts}(
  p_ids {type}[], p_work_type text, p_worker_id text, p_seconds_argument text, p_seconds int, p_max_attempts int
) returns bigint
  language plpgsql set search_path = '' as $$
declare
  v_ids {type}[];
  v_reaped int;
begin
  if cardinality(p_ids) > 1000 then perform dibs.check_ids{of}('{ids}', p_ids); end if;
  -- What is plainly good needs no closer look, and function calls cost more than this.
  if (p_work_type ~ '^[\w.:@/-]{1,100}$' and p_worker_id ~ '^[\w.:@/-]{1,200}$'
      and p_seconds between 1 and 86400) is not true then
    perform dibs.check_claim(p_work_type, p_worker_id, p_seconds_argument, p_seconds);
  end if;
  -- Expired claims go first. A claim that is there still keeps its thought from this call.
  v_reaped := dibs.reap_work_type{of}(p_work_type);
  if cardinality(p_ids) > 0 then
    -- What is plainly taken is not locked, because each lock takes shared memory.
    v_ids := array(
      select distinct wanted.id
      from unnest(p_ids) wanted (id)
      where not exists (
        select from {claims} c
        where c.{id} = wanted.id and c.work_type || '' = p_work_type{blocks} offset 0));
    if v_ids <> '{}' then
      v_ids := dibs.lock_claimable{of}(p_work_type, v_ids);
      return dibs.write_claims{of}(v_ids, p_work_type, p_worker_id, p_seconds, p_max_attempts);
    end if;
  end if;
  return null;
end $$;
comment on function dibs.grant_named_{thoughts}({type}[], text, text, text, int, int) is
  'Grant those of the {thing}s that can be had. Returns the fence of the grant, null when it would be empty.';

create or replace function dibs.check_ids{of}(p_argument text, p_ids {type}[]) returns void
  language plpgsql immutable set search_path = '' as $$
begin
  if cardinality(p_ids) > 1000 then
    perform dibs.refuse('PT400',
      p_argument || ' has ' || cardinality(p_ids) || ' ids, at most 1000 go in one call',
      'Split them over several calls.');
  end if;
end $$;
comment on function dibs.check_ids{of}(text, {type}[]) is 'Refuse (PT400) more than 1000 ids.';

create or replace function dibs.lock_claimable{of}(p_work_type text, p_ids {type}[]) returns {type}[]
  language plpgsql set search_path = '' as $$
declare
  v_ids {type}[] := dibs.lock_claiming{of}(p_work_type, p_ids);
begin
  {lock_stale}return array(
    select wanted.id
    from unnest(v_ids) wanted (id),
      lateral (select from {table} t where t.{key} = wanted.id for key share skip locked offset 0) t{wanted});
end $$;
comment on function dibs.lock_claimable{of}(text, {type}[]) is
  'Those of the {thing}s that nobody else is claiming this moment and nobody is deleting: kept so until the end of
the transaction. Never waits: whatever somebody else is at is left to them.';

create or replace function dibs.lock_claiming{of}(p_work_type text, p_ids {type}[]) returns {type}[]
  language plpgsql set search_path = '' as $$
declare
  v_seed bigint := hashtextextended('dibs.claim:{lock}' || p_work_type, 0);
begin
  return array(select id from unnest(p_ids) id where pg_try_advisory_xact_lock({hash}(id, v_seed)));
exception when out_of_memory then
  perform dibs.refuse('PT503', 'too many claims at once for the lock table of this database',
    'Ask for fewer {thing}s in one call, or raise max_locks_per_transaction.');
end $$;
comment on function dibs.lock_claiming{of}(text, {type}[]) is
  'Those ids that nobody else is claiming this moment, for the rest of the transaction. PT503 when the lock table
is full.';

create or replace function dibs.write_claims{of}(
  p_ids {type}[], p_work_type text, p_worker_id text, p_seconds int, p_max_attempts int
) returns bigint
  language plpgsql set search_path = '' as $$
declare
  v_fence bigint := nextval('dibs.fence');  -- only now that all is locked: larger than any before
  v_now timestamptz := dibs.clock();
begin
  -- Looked at again, for what was claimed and committed just before it was locked. The clock is read in the same
  -- statement, so that no lease begins before the one it sees the end of has ended.
  insert into {claims} as c (
    {id}, work_type, worker_id, claimed_at, ttl_expires_at, attempt_count, last_error, fence, max_attempts{version})
  select wanted.id, p_work_type, p_worker_id, clock.now, clock.now + p_seconds * interval '1 s',
    coalesce(m.attempts, 0) + 1, m.last_error, v_fence, p_max_attempts{version}
  from (select dibs.clock() as now offset 0) clock
  cross join unnest(p_ids) wanted (id){its_version}
  left join lateral (
    select m.attempts, m.last_error from {attempt} m
    where m.{id} = wanted.id and m.work_type = p_work_type{same_version} offset 0) m on true
  where not exists (
    select from {claims} c
    where c.{id} = wanted.id and c.work_type || '' = p_work_type{blocks} offset 0)
  order by wanted.id
  -- Clients that insert claims themselves ask nobody.
  on conflict ({id}, work_type) {on_conflict};
  if not found then return null; end if;
  if exists (select from dibs.claim_gate) or current_setting('transaction_isolation') <> 'read committed' then
    perform dibs.see_gates();
    if not dibs.let_pass_{thoughts}(p_work_type, v_fence) then return null; end if;
  end if;
  -- It may have waited for one of those, and writing takes its time, too. Nobody may get a lease that is half over,
  -- or dead. On a machine that stands still again and again the last try counts.
  for v_try in 1..5 loop
    exit when dibs.clock() < v_now + p_seconds * interval '0.05 s';
    v_now := dibs.clock();
    update {claims} c
    set ttl_expires_at = v_now + p_seconds * interval '1 s'
    where c.fence = v_fence;
  end loop;
  return v_fence;
end $$;
comment on function dibs.write_claims{of}({type}[], text, text, int, int) is
  'Write the claims of one grant, on {thing}s that lock_claimable gave. Returns its fence, null when none is left.';

-- Taking over by hand ------------------------------------------------------------------------------

do $$
begin
  if not exists (
    select from pg_trigger where tgrelid = '{claims}'::regclass and tgname = 'fence_out') then
    create trigger fence_out
      before update of worker_id, claimed_at on {claims}
      for each row
      when (new.fence = old.fence and (new.worker_id, new.claimed_at) is distinct from (old.worker_id, old.claimed_at))
      execute function dibs.fence_out();
  end if;
end $$;
$define$);

-- The contract -------------------------------------------------------------------------------------

select dibs.define_for_sources('301 contract of thoughts', 'thoughts', $define$
create or replace function public.claim_thoughts(
  p_thought_ids {type}[], p_work_type text, p_worker_id text, p_ttl_seconds int default 900
) returns setof {type}
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_fence bigint;
begin
  v_fence := dibs.grant_named_{thoughts}(p_thought_ids, p_work_type, p_worker_id, 'p_ttl_seconds', p_ttl_seconds, null);
  if v_fence is not null then
    return query select c.{id} from {claims} c where c.fence = v_fence;
  end if;
end $$;
comment on function public.claim_thoughts({type}[], text, text, int) is
  'Claim thoughts by id for one kind of work.
Returns the ids this worker won; the others are done, held, gone, or somebody is trying this moment: ask again
later. Takes expired claims of the work type away, also when no id is given.
PT400 bad input (at most 1000 ids), PT503 too many claims at once.';

create or replace function public.release_thought(
  p_thought_id {type}, p_work_type text, p_worker_id text, p_status text, p_error text default null
) returns boolean
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
  if p_status is null or p_status not in ('succeeded', 'failed') then
    perform dibs.refuse('PT400', 'p_status must be succeeded or failed',
      'To hand work back unfinished call release_claims_for_worker.');
  end if;
  update {claims} c
  set status = p_status, finished_at = dibs.clock(), last_error = dibs.clean_error(p_error)
  where c.{id} = p_thought_id and c.work_type || '' = p_work_type
    and c.worker_id || '' = p_worker_id and c.status || '' = 'claimed';
  if not found then return false; end if;
  perform dibs.forget_attempts{of}(p_work_type, array[p_thought_id]);
  return true;
end $$;
comment on function public.release_thought({type}, text, text, text, text) is
  'Finish a claim: status succeeded or failed, for good. True when this worker held it; false when not, or not any
more.
PT400 for another status.';
$define$);

select dibs.seal();
