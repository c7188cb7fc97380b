-- Reaping: what expired or is due for a retry leaves the table of claims, so that everybody, clients
-- that look for unclaimed thoughts by themselves included, sees that those thoughts are free again.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create table if not exists dibs.thought_attempt (
  thought_id uuid not null references public.thoughts (id) on delete cascade,
  work_type text not null,
  attempts int not null,
  last_error text,
  primary key (thought_id, work_type)
);
comment on table dibs.thought_attempt is
  'Attempts whose claims were taken away again. Kept apart because an expired claim has to leave its table, or
clients that look for unclaimed thoughts themselves would never see it again.';

create table if not exists dibs.reap_hint (
  work_type text not null,
  made_at timestamptz not null,
  reaped_until timestamptz not null,
  look_from_start_at timestamptz not null
);
comment on table dibs.reap_hint is
  'Until when all that expired was reaped, for looks that step over the dead entries an old snapshot keeps before
it; and when to look from the start again, since what was committed late lies there. Only written where the look
got slow; inserted, never updated.';
do $$
begin
  if to_regclass('dibs.reap_hint_newest') is null then
    create index reap_hint_newest on dibs.reap_hint (work_type, made_at desc);
  end if;
end $$;

create or replace function dibs.reap_thoughts(p_work_type text default null) returns int
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_reaped int := 0;
  v_work_type text := '';
begin
  if p_work_type is not null then return dibs.reap_work_type(p_work_type); end if;
  -- One look into the index for each work type; distinct would read the whole of it.
  loop
    select min(c.work_type) into v_work_type
    from public.thought_work_claims c
    where c.work_type > v_work_type;
    exit when v_work_type is null;
    v_reaped := v_reaped + dibs.reap_work_type(v_work_type);
  end loop;
  return v_reaped;
end $$;
comment on function dibs.reap_thoughts(text) is
  'Make claimable again what expired and what is due for a retry, of one work type or (null) of all.
Returns how many claims that were. Leaves what another transaction is working on.';

create or replace function dibs.reap_work_type(p_work_type text) returns int
  language plpgsql set search_path = '' as $$
declare
  v_claimed constant text := 'claimed';  -- not spelt out below, lest idx_twc_worker fit
  v_now timestamptz := dibs.clock();
  v_began timestamptz := clock_timestamp();
  v_look record;
  v_due uuid[];
  v_reaped int := 0;
begin
  select hint.*, look.begin_at,
      exists (
        select from public.thought_work_claims c
        where c.work_type = p_work_type and c.status = v_claimed
          and c.ttl_expires_at >= look.begin_at and c.ttl_expires_at <= v_now offset 0)
      or exists (
        select from public.thought_work_claims c
        where c.work_type = p_work_type and c.status || '' = 'failed'
          and c.retry_at >= look.begin_at and c.retry_at <= v_now offset 0) as due
    into v_look
    from (select) once
    left join lateral (
      select * from dibs.reap_hint h where h.work_type = p_work_type order by h.made_at desc limit 1) hint on true,
    lateral (
      select case when hint.look_from_start_at > v_began then hint.reaped_until else '-infinity' end as begin_at
      offset 0) look;
  if not v_look.due then
    if v_look.begin_at > '-infinity' and v_look.made_at < v_began - interval '100 ms'
        or v_look.begin_at = '-infinity' and clock_timestamp() > v_began + interval '1 ms' then
      perform dibs.make_reap_hint(p_work_type, v_now, v_began, v_look.look_from_start_at);
    end if;
    return 0;
  end if;

  loop
    -- Thoughts are locked too: the memory of attempts points at them and must not wait for a deletion.
    v_due := array(
      select c.thought_id
      from public.thought_work_claims c,
        lateral (select from public.thoughts t where t.id = c.thought_id for key share skip locked offset 0) t
      where c.work_type = p_work_type and c.status = v_claimed
        and c.ttl_expires_at >= v_look.begin_at and c.ttl_expires_at <= v_now
      order by c.ttl_expires_at
      limit 5000
      for update of c skip locked
    ) || array(
      select c.thought_id
      from public.thought_work_claims c,
        lateral (select from public.thoughts t where t.id = c.thought_id for key share skip locked offset 0) t
      where c.work_type = p_work_type and c.status || '' = 'failed'
        and c.retry_at >= v_look.begin_at and c.retry_at <= v_now
      order by c.retry_at
      limit 5000
      for update of c skip locked
    );
    exit when v_due = '{}';
    perform dibs.quarantine_lost(p_work_type, v_due, v_now);
    perform dibs.take_away(p_work_type, v_due);
    v_reaped := v_reaped + cardinality(v_due);
  end loop;
  return v_reaped;
end $$;
comment on function dibs.reap_work_type(text) is
  'What reap_thoughts does, for one work type. In batches, and never waiting.';

create or replace function dibs.make_reap_hint(
  p_work_type text, p_reaped_until timestamptz, p_began timestamptz, p_look_from_start_at timestamptz
) returns void
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  insert into dibs.reap_hint values (p_work_type, v_now, p_reaped_until,
    case when p_look_from_start_at > p_began then p_look_from_start_at
      -- Looks from the start get slow while an old snapshot is held; they then take a twentieth of the time.
      else v_now + greatest(20 * (v_now - p_began), interval '100 ms') end);
  -- Now and then, those that nobody reads any more.
  if random() < 0.02 then
    delete from dibs.reap_hint where ctid = any (array(
      select ctid from dibs.reap_hint
      where work_type = p_work_type and made_at < v_now - interval '10 s'
      for update skip locked));
  end if;
end $$;
comment on function dibs.make_reap_hint(text, timestamptz, timestamptz, timestamptz) is
  'Note that a look that began at p_began found nothing due until p_reaped_until.';

create or replace function dibs.quarantine_lost(p_work_type text, p_ids uuid[], p_now timestamptz)
  returns void
  language plpgsql set search_path = '' as $$
declare
  v_quarantined uuid[];
begin
  with quarantined as (
    update public.thought_work_claims c
    set status = 'failed', finished_at = p_now,
      last_error = dibs.lost_error(c.worker_id, c.attempt_count, c.max_attempts)
    where c.thought_id = any (p_ids) and c.work_type || '' = p_work_type
      and c.status || '' = 'claimed' and c.attempt_count >= c.max_attempts
    returning c.thought_id
  )
  select array_agg(thought_id) into v_quarantined from quarantined;
  if v_quarantined is not null then perform dibs.forget_attempts(p_work_type, v_quarantined); end if;
end $$;
comment on function dibs.quarantine_lost(text, uuid[], timestamptz) is
  'Of the expired claims, fail for good those without an attempt left: a thought that keeps losing its worker must
not loop forever.';

create or replace function dibs.take_away(p_work_type text, p_ids uuid[]) returns void
  language plpgsql set search_path = '' as $$
begin
  with gone as (
    delete from public.thought_work_claims c
    where c.thought_id = any (p_ids) and c.work_type || '' = p_work_type
      and (c.status || '' = 'claimed' or c.retry_at is not null)
    returning c.*
  )
  insert into dibs.thought_attempt as m (thought_id, work_type, attempts, last_error)
  select thought_id, work_type, attempt_count,
    case status when 'failed' then last_error else dibs.lost_error(worker_id, attempt_count, max_attempts) end
  from gone
  on conflict (thought_id, work_type) do update
  -- Clients that insert claims themselves do not know which attempt it is.
  set attempts = greatest(m.attempts + 1, excluded.attempts), last_error = excluded.last_error;
end $$;
comment on function dibs.take_away(text, uuid[]) is
  'Delete claims that expired or wait for a retry, remembering their attempts.';

create or replace function dibs.lost_error(p_worker_id text, p_attempt int, p_max_attempts int) returns text
  language sql immutable set search_path = '' as $$
  select format('the lease of %s ran out in attempt %s', p_worker_id, p_attempt)
    || coalesce(' of ' || p_max_attempts, '')
$$;
comment on function dibs.lost_error(text, int, int) is
  'What is written down about an attempt whose worker was not heard of again.';

create or replace function dibs.forget_attempts(p_work_type text, p_ids uuid[]) returns void
  language plpgsql set search_path = '' as $$
begin
  -- A memory that is locked is going away with its thought.
  delete from dibs.thought_attempt m
  where m.work_type || '' = p_work_type and m.thought_id = any (array(
    select m.thought_id
    from dibs.thought_attempt m
    where m.thought_id = any (p_ids) and m.work_type || '' = p_work_type
    for update skip locked));
end $$;
comment on function dibs.forget_attempts(text, uuid[]) is
  'Forget the attempts of thoughts whose claim has ended: from then on the claim itself tells them.';

select dibs.seal();
