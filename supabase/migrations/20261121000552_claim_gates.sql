-- Gates of claims: a kind of work on the rows of a source can have a limit of how many are claimed for it at once, and
-- a rate of how many are claimed in a time, and can be paused. Clients that insert claims by themselves ask nobody and
-- are not kept back, but count for limits.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.set_claim_limit(p_source text, p_work_type text, p_limit int) returns void
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
begin
  perform dibs.check_label('p_work_type', p_work_type, 100), dibs.check_between('p_limit', p_limit, 1, 1000000),
    dibs.stop_claims(dibs.claims_of(p_source));
  insert into dibs.claim_gate (source, work_type, most) values (p_source, p_work_type, p_limit)
    on conflict (source, work_type) do update set most = excluded.most;
end $$;
comment on function public.set_claim_limit(text, text, int) is
  'Never let more than p_limit rows of a source, such as thoughts, be claimed for a kind of work at once, 1 to 1000000,
from the moment this is committed. What is claimed already counts; where that is more, it goes on, and nothing new is
claimed until it is less.
Errors: PT400 for bad input, PT503 while a claim stays in an open transaction for 3 seconds.';

create or replace function public.remove_claim_limit(p_source text, p_work_type text) returns boolean
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
begin
  perform dibs.check_label('p_work_type', p_work_type, 100), dibs.stop_claims(dibs.claims_of(p_source));
  update dibs.claim_gate set most = null where source = p_source and work_type = p_work_type and most is not null;
  if not found then return false; end if;
  perform dibs.drop_open_claim_gate(p_source, p_work_type);
  return true;
end $$;
comment on function public.remove_claim_limit(text, text) is
  'Take away the limit of a kind of work on a source. Returns whether there was one. Errors: as set_claim_limit.';

create or replace function public.set_claim_rate(
    p_source text, p_work_type text, p_count int, p_period interval, p_burst int default null) returns void
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
begin
  perform dibs.check_label('p_work_type', p_work_type, 100), dibs.check_rate(p_count, p_period, p_burst),
    dibs.stop_claims(dibs.claims_of(p_source));
  insert into dibs.claim_gate (source, work_type, rate, period, burst)
    values (p_source, p_work_type, p_count, p_period, coalesce(p_burst, p_count))
    on conflict (source, work_type) do update
    -- A new rate begins with a full bucket.
    set rate = excluded.rate, period = excluded.period, burst = excluded.burst, spent_until = 'epoch';
end $$;
comment on function public.set_claim_rate(text, text, int, interval, int) is
  'Let only p_count rows of a source be claimed for a kind of work in each p_period, and after a rest up to p_burst at
once (null: p_count), from the moment this is committed. Every claim counts, also one that is handed back.
Errors: as set_claim_limit.';

create or replace function public.remove_claim_rate(p_source text, p_work_type text) returns boolean
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
begin
  perform dibs.check_label('p_work_type', p_work_type, 100), dibs.stop_claims(dibs.claims_of(p_source));
  update dibs.claim_gate set rate = null, period = null, burst = null
    where source = p_source and work_type = p_work_type and rate is not null;
  if not found then return false; end if;
  perform dibs.drop_open_claim_gate(p_source, p_work_type);
  return true;
end $$;
comment on function public.remove_claim_rate(text, text) is
  'Take away the rate of a kind of work on a source. Returns whether there was one. Errors: as set_claim_limit.';

create or replace function public.pause_claims(p_source text, p_work_type text default null) returns bigint
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
begin
  if p_work_type is not null then perform dibs.check_label('p_work_type', p_work_type, 100); end if;
  perform dibs.stop_claims(dibs.claims_of(p_source));
  insert into dibs.claim_gate (source, work_type, paused_at) values (p_source, coalesce(p_work_type, ''), dibs.clock())
    on conflict (source, work_type) do update set paused_at = coalesce(claim_gate.paused_at, excluded.paused_at);
  return dibs.count_claimed(p_source, p_work_type);
end $$;
comment on function public.pause_claims(text, text) is
  'Claim no more rows of a source for a kind of work, null for any, from the moment this is committed. What is claimed
goes on, and is settled as usual.
Returns how many are still claimed; call it again to see them become 0. Errors: as set_claim_limit.';

create or replace function public.resume_claims(p_source text, p_work_type text default null) returns boolean
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
begin
  if p_work_type is not null then perform dibs.check_label('p_work_type', p_work_type, 100); end if;
  perform dibs.stop_claims(dibs.claims_of(p_source));
  update dibs.claim_gate set paused_at = null
    where source = p_source and work_type = coalesce(p_work_type, '') and paused_at is not null;
  if not found then return false; end if;
  perform dibs.drop_open_claim_gate(p_source, coalesce(p_work_type, ''));
  return true;
end $$;
comment on function public.resume_claims(text, text) is
  'End what pause_claims began with the same arguments. Returns whether it was paused. Errors: as set_claim_limit.';

create or replace function public.claim_gates()
  returns table (
    source text, work_type text, max_running int, rate int, period interval, burst int, paused_at timestamptz,
    running bigint, retry_after_seconds int)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select g.source, nullif(g.work_type, ''), g.most, g.rate, g.period, g.burst, g.paused_at,
      dibs.count_claimed(g.source, nullif(g.work_type, '')),
      case when g.rate is not null then
        coalesce(ceil(extract(epoch from dibs.next_token_at(g, g.spent_until) - dibs.clock())), 0)::int end
    from dibs.claim_gate g order by g.source, g.work_type;
end $$;
comment on function public.claim_gates() is
  'What is set for claims: limits, rates and pauses, by source and work type, null for all. running: how many rows are
claimed now. retry_after_seconds: when the rate lets the next one be claimed, 0 for now.';

-- Sources ------------------------------------------------------------------------------------------

create or replace function dibs.claims_of(p_source text) returns regclass
  language plpgsql stable set search_path = '' as $$
begin
  perform dibs.source_rows(p_source);
  return 'public.' || dibs.claims_table(p_source);
end $$;
comment on function dibs.claims_of(text) is 'The table of claims of a source. PT400 when there is no such source.';

create or replace function dibs.drop_open_claim_gate(p_source text, p_work_type text) returns void
  language plpgsql set search_path = '' as $$
begin
  delete from dibs.claim_gate
    where source = p_source and work_type = p_work_type and most is null and rate is null and paused_at is null;
end $$;
comment on function dibs.drop_open_claim_gate(text, text) is 'Forget a gate that keeps nothing back any more.';

create or replace function dibs.count_claimed(p_source text, p_work_type text) returns bigint
  language plpgsql stable set search_path = '' as $$
declare
  v_claimed bigint;
begin
  execute format('select dibs.count_claimed_%s($1)', dibs.source_rows(p_source)) into v_claimed using p_work_type;
  return v_claimed;
end $$;
comment on function dibs.count_claimed(text, text) is
  'How many rows of a source are claimed for a kind of work, null for any.';

-- Claiming -----------------------------------------------------------------------------------------

select dibs.define_for_sources('552 gates', 'every source', $define$
create or replace function dibs.room_for_{thoughts}(p_work_type text) returns int
  language plpgsql stable set search_path = '' as $$
declare
  v_gate dibs.claim_gate;
begin
  if exists (select from dibs.claim_gate where source = '{source}' and work_type = '') then return 0; end if;
  select * into v_gate from dibs.claim_gate where source = '{source}' and work_type = p_work_type;
  return case when v_gate.paused_at is not null then 0 else greatest(0, least(
    case when v_gate.most is not null then v_gate.most - dibs.count_claimed_{thoughts}(p_work_type) end,
    dibs.tokens_left(v_gate, v_gate.spent_until),
    1000000)) end;
end $$;
comment on function dibs.room_for_{thoughts}(text) is
  'How many {thing}s may be claimed for a kind of work, as far as can be seen; a million where there is no bound.';

create or replace function dibs.let_pass_{thoughts}(p_work_type text, p_fence bigint) returns boolean
  language plpgsql set search_path = '' as $$
declare
  v_gate dibs.claim_gate;
  v_granted int := (select count(*) from {claims} c where c.fence = p_fence);
  v_kept int := v_granted;
begin
  if exists (select from dibs.claim_gate where source = '{source}' and work_type = '') then
    v_kept := 0;
  elsif exists (select from dibs.claim_gate where source = '{source}' and work_type = p_work_type) then
    select * into v_gate from dibs.claim_gate where source = '{source}' and work_type = p_work_type
      for update skip locked;
    -- While another claim is at it, there is nothing to be had.
    if not found or v_gate.paused_at is not null then
      v_kept := 0;
    else
      v_kept := greatest(0, least(
        v_granted,
        case when v_gate.most is not null then
          v_gate.most - dibs.count_claimed_{thoughts}(p_work_type) + v_granted end,
        dibs.tokens_left(v_gate, v_gate.spent_until)));
      update dibs.claim_gate
        set passed = passed + 1, spent_until = case when rate is null then spent_until
          else greatest(spent_until, dibs.clock()) + v_kept * period / rate end
        where source = '{source}' and work_type = p_work_type;
    end if;
  end if;
  if v_kept < v_granted then
    delete from {claims} c
    where c.fence = p_fence and c.{id} = any (array(
      select c.{id} from {claims} c where c.fence = p_fence order by {send}(c.{id}) offset v_kept));
  end if;
  return v_kept > 0;
end $$;
comment on function dibs.let_pass_{thoughts}(text, bigint) is
  'Take back of the claims of a new grant what is more than the gate of its kind of work lets through. Whether some are
left. Asked when they are written, since whoever sets a gate waits for whoever writes claims.';

create or replace function dibs.count_claimed_{thoughts}(p_work_type text) returns bigint
  language plpgsql stable set search_path = '' as $$
declare
  v_claimed constant text := 'claimed';
begin
  if p_work_type is null then
    return (select count(*) from {claims} c where c.status = v_claimed);
  end if;
  return (select count(*) from {claims} c where c.work_type = p_work_type and c.status = v_claimed);
end $$;
comment on function dibs.count_claimed_{thoughts}(text) is
  'How many {thing}s are claimed for a kind of work, null for any.';
$define$);

select dibs.seal();
