-- Gates of claims: a kind of work on the rows of a source can have a limit of how many are claimed for it at once, and
-- a rate of how many are claimed in a time, and can be paused; so can each key of rows, where a source says whose
-- a row is (215_row_keys.sql). Clients that insert claims by themselves ask nobody and are not kept back, but count for
-- limits.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.set_claim_limit(
    p_source text, p_work_type text, p_limit int, p_key text default null, p_each_key boolean default false)
  returns void
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_gate dibs.claim_gate;
begin
  perform dibs.check_between('p_limit', p_limit, 1, 1000000);
  v_gate := dibs.claim_gate_to_set(p_source, p_work_type, p_key, p_each_key);
  insert into dibs.claim_gate (source, work_type, scope, key, most)
    values (v_gate.source, v_gate.work_type, v_gate.scope, v_gate.key, p_limit)
    on conflict (source, work_type, scope, key) do update set most = excluded.most;
end $$;
comment on function public.set_claim_limit(text, text, int, text, boolean) is
  'Never let more than p_limit rows of a source, such as thoughts, be claimed for a kind of work at once, 1 to 1000000,
from the moment this is committed.
p_key: of this key of rows only, see dibs.set_row_key. p_each_key: of each key, unless it has a limit of its own.
Neither: of the kind of work as a whole. A row has to pass the limit of its kind of work and that of its key. What is
claimed already counts; where that is more, it goes on, and nothing new is claimed until it is less.
Errors: PT400 for bad input, PT503 while a claim stays in an open transaction for 3 seconds.';

create or replace function public.remove_claim_limit(
    p_source text, p_work_type text, p_key text default null, p_each_key boolean default false) returns boolean
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_gate dibs.claim_gate := dibs.claim_gate_to_set(p_source, p_work_type, p_key, p_each_key);
begin
  update dibs.claim_gate g set most = null
    where (g.source, g.work_type, g.scope, g.key) = (v_gate.source, v_gate.work_type, v_gate.scope, v_gate.key)
      and g.most is not null;
  if not found then return false; end if;
  perform dibs.drop_open_claim_gates(v_gate.source, v_gate.work_type);
  return true;
end $$;
comment on function public.remove_claim_limit(text, text, text, boolean) is
  'Take away a limit that set_claim_limit set with the same arguments. Returns whether there was one.
Errors: as set_claim_limit.';

create or replace function public.set_claim_rate(
    p_source text, p_work_type text, p_count int, p_period interval, p_burst int default null,
    p_key text default null, p_each_key boolean default false) returns void
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_gate dibs.claim_gate;
begin
  perform dibs.check_rate(p_count, p_period, p_burst);
  v_gate := dibs.claim_gate_to_set(p_source, p_work_type, p_key, p_each_key);
  insert into dibs.claim_gate (source, work_type, scope, key, rate, period, burst)
    values (v_gate.source, v_gate.work_type, v_gate.scope, v_gate.key, p_count, p_period, coalesce(p_burst, p_count))
    on conflict (source, work_type, scope, key) do update
    set rate = excluded.rate, period = excluded.period, burst = excluded.burst;
  -- A new rate begins with a full bucket.
  update dibs.claim_bucket b set spent_until = 'epoch'
    where b.source = p_source and b.work_type = p_work_type
      and (v_gate.scope = 'each key' and b.key <> '' or b.key = v_gate.key and v_gate.scope <> 'each key');
end $$;
comment on function public.set_claim_rate(text, text, int, interval, int, text, boolean) is
  'Let only p_count rows of a source be claimed for a kind of work in each p_period, and after a rest up to p_burst at
once (null: p_count), from the moment this is committed. Every claim counts, also one that is handed back.
p_key, p_each_key: as in set_claim_limit. Errors: as set_claim_limit.';

create or replace function public.remove_claim_rate(
    p_source text, p_work_type text, p_key text default null, p_each_key boolean default false) returns boolean
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_gate dibs.claim_gate := dibs.claim_gate_to_set(p_source, p_work_type, p_key, p_each_key);
begin
  update dibs.claim_gate g set rate = null, period = null, burst = null
    where (g.source, g.work_type, g.scope, g.key) = (v_gate.source, v_gate.work_type, v_gate.scope, v_gate.key)
      and g.rate is not null;
  if not found then return false; end if;
  perform dibs.drop_open_claim_gates(v_gate.source, v_gate.work_type);
  return true;
end $$;
comment on function public.remove_claim_rate(text, text, text, boolean) is
  'Take away a rate that set_claim_rate set with the same arguments. Returns whether there was one.
Errors: as set_claim_limit.';

create or replace function public.pause_claims(
    p_source text, p_work_type text default null, p_key text default null) returns bigint
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_gate dibs.claim_gate := dibs.claim_gate_to_set(
    p_source, p_work_type, p_key, false, p_work_type is null and p_key is null);
begin
  insert into dibs.claim_gate (source, work_type, scope, key, paused_at)
    values (v_gate.source, v_gate.work_type, v_gate.scope, v_gate.key, dibs.clock())
    on conflict (source, work_type, scope, key) do update
    set paused_at = coalesce(claim_gate.paused_at, excluded.paused_at);
  return dibs.count_claimed(p_source, p_work_type, p_key);
end $$;
comment on function public.pause_claims(text, text, text) is
  'Claim no more rows of a source for a kind of work, of a key for it, or (both null) for any, from the moment this is
committed. What is claimed goes on, and is settled as usual.
Returns how many are still claimed; call it again to see them become 0. Errors: as set_claim_limit.';

create or replace function public.resume_claims(
    p_source text, p_work_type text default null, p_key text default null) returns boolean
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_gate dibs.claim_gate := dibs.claim_gate_to_set(
    p_source, p_work_type, p_key, false, p_work_type is null and p_key is null);
begin
  update dibs.claim_gate g set paused_at = null
    where (g.source, g.work_type, g.scope, g.key) = (v_gate.source, v_gate.work_type, v_gate.scope, v_gate.key)
      and g.paused_at is not null;
  if not found then return false; end if;
  perform dibs.drop_open_claim_gates(v_gate.source, v_gate.work_type);
  return true;
end $$;
comment on function public.resume_claims(text, text, text) is
  'End what pause_claims began with the same arguments. Returns whether it was paused. Errors: as set_claim_limit.';

create or replace function public.claim_gates()
  returns table (
    source text, work_type text, scope text, key text, max_running int, rate int, period interval, burst int,
    paused_at timestamptz, running bigint, retry_after_seconds int)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select g.source, nullif(g.work_type, ''), g.scope, nullif(g.key, ''), g.most, g.rate, g.period, g.burst,
      g.paused_at,
      case when g.scope <> 'each key' then
        dibs.count_claimed(g.source, nullif(g.work_type, ''), nullif(g.key, '')) end,
      case when g.scope in ('work type', 'key') and g.rate is not null then
        coalesce(ceil(extract(epoch from dibs.claims_open_at(g.source, g.work_type, g.key) - dibs.clock())), 0)::int
      end
    from dibs.claim_gate g order by g.source, g.work_type, g.scope, g.key;
end $$;
comment on function public.claim_gates() is
  'What is set for claims: limits, rates and pauses, by source, work type and scope (everything, work type, each key,
key). running: how many such rows are claimed now. retry_after_seconds: when the rate lets the next one be claimed, 0
for now.';

-- Setting ------------------------------------------------------------------------------------------

create or replace function dibs.claim_gate_to_set(
    p_source text, p_work_type text, p_key text, p_each_key boolean, p_all boolean default false)
  returns dibs.claim_gate
  language plpgsql set search_path = '' as $$
declare
  v_claims regclass := dibs.claims_of(p_source);
  v_gate dibs.claim_gate;
begin
  if p_all then
    v_gate.scope := 'everything';
  else
    perform dibs.check_label('p_work_type', p_work_type, 100);
    v_gate.scope := coalesce(dibs.key_scope(p_key, p_each_key), 'work type');
  end if;
  v_gate.source := p_source;
  v_gate.work_type := coalesce(p_work_type, '');
  v_gate.key := coalesce(p_key, '');
  perform dibs.stop_claims(v_claims);
  if v_gate.scope in ('key', 'each key')
    and exists (select from dibs.claim_source s where s.name = p_source and s.row_key is null) then
    perform dibs.refuse('PT400', format('rows of %s have no keys', p_source),
      format('Say whose a row is, as the owner of the database: select dibs.set_row_key(%L, ''tenant'').', p_source));
  end if;
  return v_gate;
end $$;
comment on function dibs.claim_gate_to_set(text, text, text, boolean, boolean) is
  'Which gate is meant, checked (PT400), and that nobody claims rows of the source until the end of the transaction.';

create or replace function dibs.claims_of(p_source text) returns regclass
  language plpgsql stable set search_path = '' as $$
begin
  perform dibs.source_rows(p_source);
  return 'public.' || dibs.claims_table(p_source);
end $$;
comment on function dibs.claims_of(text) is 'The table of claims of a source. PT400 when there is no such source.';

create or replace function dibs.drop_open_claim_gates(p_source text, p_work_type text) returns void
  language plpgsql set search_path = '' as $$
begin
  delete from dibs.claim_gate g
    where g.source = p_source and g.work_type = p_work_type and g.most is null and g.rate is null
      and g.paused_at is null;
end $$;
comment on function dibs.drop_open_claim_gates(text, text) is 'Forget gates that keep nothing back any more.';

create or replace function dibs.count_claimed(p_source text, p_work_type text, p_key text default null)
  returns bigint
  language plpgsql stable set search_path = '' as $$
declare
  v_claimed bigint;
begin
  if p_key is null then
    execute format('select dibs.count_claimed_%s($1)', dibs.source_rows(p_source)) into v_claimed using p_work_type;
  else
    execute format('select (dibs.claimed_by_key_%s($1) ->> $2)', dibs.source_rows(p_source)) into v_claimed
      using p_work_type, p_key;
  end if;
  return coalesce(v_claimed, 0);
end $$;
comment on function dibs.count_claimed(text, text, text) is
  'How many rows of a source are claimed for a kind of work, null for any, and of a key, null for all.';

select dibs.seal();
