-- Writes of your own that count only if the lease does. Your SQL function calls these, so they are part of
-- its transaction: its writes are committed under a lease that lives, and with the completion, or not at all.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.assert_lease(p_fence text, p_id uuid default null) returns void
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
  perform dibs.assert_held(dibs.parse_fence(p_fence), p_id);
end $$;
comment on function public.assert_lease(text, uuid) is
  'Go on only under a lease that lives: call it first in a SQL function of your own.
p_id: the task or thought that must be held; null: whatever the lease holds, as long as it holds something.
From here to the end of the transaction nobody can take it away, not even when the time runs out; renewals wait
too, so be brief.
Errors: PT409 when the lease is lost or its time has run out; PT400 for bad input.';

create or replace function public.complete_with_result(p_fence text, p_id uuid, p_result jsonb default null)
  returns void
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_fence bigint := dibs.parse_fence(p_fence);
  v_work_type text;
begin
  if p_id is null then perform dibs.refuse('PT400', 'p_id must be the id of what is completed'); end if;
  select work_type into v_work_type from dibs.lock_held(v_fence, p_id);
  if v_work_type is null then
    perform dibs.refuse_lost(p_id);
  elsif v_work_type = '' then
    perform dibs.settle_tasks(v_fence,
      jsonb_build_array(jsonb_build_object('id', p_id, 'status', 'succeeded', 'result', p_result)), null);
  else
    if jsonb_typeof(p_result) not in ('object', 'null') then
      perform dibs.refuse('PT400', 'p_result must be an object where a thought is completed',
        'It is merged into the metadata of the thought.');
    end if;
    update public.thoughts set metadata = coalesce(metadata, '{}') || p_result
      where id = dibs.thought_key(p_id) and jsonb_typeof(p_result) = 'object';
    perform dibs.end_claims(v_fence, array[dibs.thought_key(p_id)], array['succeeded'], null, null);
  end if;
end $$;
comment on function public.complete_with_result(text, uuid, jsonb) is
  'Complete one task or thought in the transaction of a SQL function of your own, so that its writes and the
completion are one: both happen, once, or neither.
p_result: kept with a task, merged into the metadata of a thought.
A repeat is refused as lost, so that its writes are rolled back; was_completed says that it was one.
Errors: PT409 when the fence does not hold it (any more); PT400 for bad input.';

create or replace function public.was_completed(p_fence text, p_id uuid) returns boolean
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_fence bigint := dibs.parse_fence(p_fence);
begin
  -- Whoever is completing it this moment is waited for.
  perform dibs.lock_held(v_fence, p_id);
  return dibs.was_settled(v_fence, dibs.task_of(p_id), 'succeeded') or exists (
    select from public.thought_work_claims c
    where c.thought_id = dibs.thought_key(p_id) and c.fence + 0 = v_fence and c.status || '' = 'succeeded');
end $$;
comment on function public.was_completed(text, uuid) is
  'Whether this very grant completed this task or thought: for a caller that lost the reply.
Errors: PT400 for bad input.';

-- Holding ------------------------------------------------------------------------------------------

create or replace function dibs.assert_held(p_fence bigint, p_id uuid) returns text
  language plpgsql set search_path = '' as $$
declare
  v_held record;
begin
  select * into v_held from dibs.lock_held(p_fence, p_id);
  -- The clock is read now that the lock is had.
  if v_held.expires_at > dibs.clock() then return v_held.work_type; end if;
  perform dibs.refuse_lost(p_id);
end $$;
comment on function dibs.assert_held(bigint, uuid) is
  'Refuse (PT409) unless the lease holds this task or thought (null: anything) and its time has not run out.
Locked as by lock_held. Returns the work type, empty for tasks.';

select dibs.define_for_sources('640 held thoughts', 'thoughts', $define$
create or replace function dibs.lock_held(p_fence bigint, p_id uuid, out expires_at timestamptz, out work_type text)
  language plpgsql set search_path = '' as $$
declare
  v_ids {type}[];
begin
  -- Not shared: two functions that complete tasks of one lease would both go on to settle it, and wait for each other.
  select l.expires_at, '' into expires_at, work_type
    from dibs.lease l where l.fence = p_fence and (p_id is null or l.held @> dibs.task_of(p_id)) for update;
  if found then return; end if;
  v_ids := case when p_id is not null then array[dibs.thought_key(p_id)] else array(
    select c.thought_id from public.thought_work_claims c
    where c.fence = p_fence and c.status || '' = 'claimed' order by {send}(c.thought_id)) end;
  -- Thoughts before their claims: whoever deletes a thought goes the same way.
  perform from unnest(v_ids) held (id),
    lateral (select from public.thoughts t where t.id = held.id for no key update offset 0) t;
  select min(c.ttl_expires_at), min(c.work_type) into expires_at, work_type
    from unnest(v_ids) held (id),
      lateral (
        select c.ttl_expires_at, c.work_type from public.thought_work_claims c
        where c.thought_id = held.id and c.fence + 0 = p_fence and c.status || '' = 'claimed'
        for update offset 0
      ) c;
end $$;
comment on function dibs.lock_held(bigint, uuid) is
  'When the lease that holds this task or thought (null: anything) expires, and its work type, empty for tasks; nulls
when it does not hold it. Until the end of the transaction nobody takes it from the lease: reapers pass by, others
wait.';
$define$);

create or replace function dibs.refuse_lost(p_id uuid) returns void
  language plpgsql set search_path = '' as $$
begin
  perform dibs.refuse('PT409',
    coalesce('lost: this fence does not hold ' || p_id || ' any more', 'lost: the lease of this fence has ended'),
    'Stop working on it: somebody else has it, or will.');
end $$;
comment on function dibs.refuse_lost(uuid) is 'Refuse (PT409) a write of whoever lost the lease.';

select dibs.seal();
