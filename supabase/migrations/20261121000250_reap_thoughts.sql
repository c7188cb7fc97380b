-- Reaping: what expired or is due for a retry leaves the table of claims, so that everybody, clients
-- that look for unclaimed thoughts by themselves included, sees that those thoughts are free again.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.lost_error(p_worker_id text, p_attempt int, p_max_attempts int) returns text
  language sql immutable set search_path = '' as $$
  select format('the lease of %s ran out in attempt %s', p_worker_id, p_attempt)
    || coalesce(' of ' || p_max_attempts, '')
$$;
comment on function dibs.lost_error(text, int, int) is
  'What is written down about an attempt whose worker was not heard of again.';

select dibs.define_for_sources('250 reaping', 'every source', $define$
create table if not exists {attempt} (
  {id} {type}{collate} not null references {table} ({key}) on delete cascade,
  work_type text not null,
  attempts int not null,
  last_error text,
  {version_column}primary key ({id}, work_type)
);
comment on table {attempt} is
  'Attempts whose claims were taken away again. Kept apart because an expired claim has to leave its table, or
clients that look for unclaimed {thing}s themselves would never see it again.';

create table if not exists {hint} (
  work_type text not null,
  made_at timestamptz not null,
  reaped_until timestamptz not null,
  look_from_start_at timestamptz not null
);
comment on table {hint} is
  'Until when all that expired was reaped, for looks that step over the dead entries an old snapshot keeps before
it; and when to look from the start again, since what was committed late lies there. Only written where the look
got slow; inserted, never updated.';
do $$
begin
  if to_regclass('dibs.reap_hint{of}_newest') is null then
    create index reap_hint{of}_newest on {hint} (work_type, made_at desc);
  end if;
end $$;

create or replace function dibs.reap_{thoughts}(p_work_type text default null) returns int
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_reaped int := 0;
  v_work_type text := '';
begin
  if p_work_type is not null then return dibs.reap_work_type{of}(p_work_type); end if;
  -- One look into the index for each work type; distinct would read the whole of it.
  loop
    select min(c.work_type) into v_work_type
    from {claims} c
    where c.work_type > v_work_type;
    exit when v_work_type is null;
    v_reaped := v_reaped + dibs.reap_work_type{of}(v_work_type);
  end loop;
  return v_reaped;
end $$;
comment on function dibs.reap_{thoughts}(text) is
  'Make claimable again what expired and what is due for a retry, of one work type or (null) of all.
Returns how many claims that were. Leaves what another transaction is working on.';

create or replace function dibs.reap_work_type{of}(p_work_type text) returns int
  language plpgsql set search_path = '' as $$
declare
  v_claimed constant text := 'claimed';  -- not spelt out below, lest idx_twc_worker fit
  v_now timestamptz := dibs.clock();
  v_began timestamptz := clock_timestamp();
  v_look record;
  v_due {type}[];
  v_reaped int := 0;
begin
  select hint.*, look.begin_at,
      exists (
        select from {claims} c
        where c.work_type = p_work_type and c.status = v_claimed
          and c.ttl_expires_at >= look.begin_at and c.ttl_expires_at <= v_now offset 0)
      or exists (
        select from {claims} c
        where c.work_type = p_work_type and c.status || '' = 'failed'
          and c.retry_at >= look.begin_at and c.retry_at <= v_now offset 0) as due
    into v_look
    from (select) once
    left join lateral (
      select * from {hint} h where h.work_type = p_work_type order by h.made_at desc limit 1) hint on true,
    lateral (
      select case when hint.look_from_start_at > v_began then hint.reaped_until else '-infinity' end as begin_at
      offset 0) look;
  if not v_look.due then
    if v_look.begin_at > '-infinity' and v_look.made_at < v_began - interval '100 ms'
        or v_look.begin_at = '-infinity' and clock_timestamp() > v_began + interval '1 ms' then
      perform dibs.make_reap_hint{of}(p_work_type, v_now, v_began, v_look.look_from_start_at);
    end if;
    return 0;
  end if;

  loop
    -- Thoughts are locked too: the memory of attempts points at them and must not wait for a deletion.
    v_due := array(
      select c.{id}
      from {claims} c,
        lateral (select from {table} t where t.{key} = c.{id} for key share skip locked offset 0) t
      where c.work_type = p_work_type and c.status = v_claimed
        and c.ttl_expires_at >= v_look.begin_at and c.ttl_expires_at <= v_now
      order by c.ttl_expires_at
      limit 5000
      for update of c skip locked
    ) || array(
      select c.{id}
      from {claims} c,
        lateral (select from {table} t where t.{key} = c.{id} for key share skip locked offset 0) t
      where c.work_type = p_work_type and c.status || '' = 'failed'
        and c.retry_at >= v_look.begin_at and c.retry_at <= v_now
      order by c.retry_at
      limit 5000
      for update of c skip locked
    );
    exit when v_due = '{}';
    perform dibs.quarantine_lost{of}(p_work_type, v_due, v_now);
    perform dibs.take_away{of}(p_work_type, v_due);
    v_reaped := v_reaped + cardinality(v_due);
  end loop;
  return v_reaped;
end $$;
comment on function dibs.reap_work_type{of}(text) is
  'Reaping, of one work type. In batches, and never waiting.';

create or replace function dibs.make_reap_hint{of}(
  p_work_type text, p_reaped_until timestamptz, p_began timestamptz, p_look_from_start_at timestamptz
) returns void
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  insert into {hint} values (p_work_type, v_now, p_reaped_until,
    case when p_look_from_start_at > p_began then p_look_from_start_at
      -- Looks from the start get slow while an old snapshot is held; they then take a twentieth of the time.
      else v_now + greatest(20 * (v_now - p_began), interval '100 ms') end);
  -- Now and then, those that nobody reads any more.
  if random() < 0.02 then
    delete from {hint} where ctid = any (array(
      select ctid from {hint}
      where work_type = p_work_type and made_at < v_now - interval '10 s'
      for update skip locked));
  end if;
end $$;
comment on function dibs.make_reap_hint{of}(text, timestamptz, timestamptz, timestamptz) is
  'Note that a look that began at p_began found nothing due until p_reaped_until.';

create or replace function dibs.quarantine_lost{of}(p_work_type text, p_ids {type}[], p_now timestamptz)
  returns void
  language plpgsql set search_path = '' as $$
declare
  v_quarantined {type}[];
begin
  with quarantined as (
    update {claims} c
    set status = 'failed', finished_at = p_now,
      last_error = dibs.lost_error(c.worker_id, c.attempt_count, c.max_attempts)
    where c.{id} = any (p_ids) and c.work_type || '' = p_work_type
      and c.status || '' = 'claimed' and c.attempt_count >= c.max_attempts
    returning c.{id}
  )
  select array_agg({id}) into v_quarantined from quarantined;
  if v_quarantined is not null then perform dibs.forget_attempts{of}(p_work_type, v_quarantined); end if;
end $$;
comment on function dibs.quarantine_lost{of}(text, {type}[], timestamptz) is
  'Of the expired claims, fail for good those without an attempt left: a {thing} that keeps losing its worker must
not loop forever.';

create or replace function dibs.take_away{of}(p_work_type text, p_ids {type}[]) returns void
  language plpgsql set search_path = '' as $$
begin
  with gone as (
    delete from {claims} c
    where c.{id} = any (p_ids) and c.work_type || '' = p_work_type
      and (c.status || '' = 'claimed' or c.retry_at is not null)
    returning c.*
  )
  insert into {attempt} as m ({id}, work_type, attempts, last_error{version})
  select {id}, work_type, attempt_count,
    case status when 'failed' then last_error else dibs.lost_error(worker_id, attempt_count, max_attempts) end{version}
  from gone
  on conflict ({id}, work_type) do update
  -- Clients that insert claims themselves do not know which attempt it is.
  set attempts = {attempts}, last_error = excluded.last_error{version_kept};
end $$;
comment on function dibs.take_away{of}(text, {type}[]) is
  'Delete claims that expired or wait for a retry, remembering their attempts.';

create or replace function dibs.forget_attempts{of}(p_work_type text, p_ids {type}[]) returns void
  language plpgsql set search_path = '' as $$
begin
  -- A memory that is locked is going away with its thought.
  delete from {attempt} m
  where m.work_type || '' = p_work_type and m.{id} = any (array(
    select m.{id}
    from {attempt} m
    where m.{id} = any (p_ids) and m.work_type || '' = p_work_type
    for update skip locked));
end $$;
comment on function dibs.forget_attempts{of}(text, {type}[]) is
  'Forget the attempts of {thing}s whose claim has ended: from then on the claim itself tells them.';
$define$);

select dibs.seal();
