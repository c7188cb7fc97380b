-- Claims through gates: how many rows of which key may be claimed for a kind of work, and which ones to look at.
--
-- Claims that go through the same gate exclude each other by a lock of that gate, for the rest of the transaction.
-- Nobody waits for it: who does not get it leaves those rows to the other one.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.claim_gate_of(
    p_source text, p_work_type text, p_key text, out most int, out rate int, out period interval, out burst int,
    out paused boolean)
  language plpgsql stable set search_path = '' as $$
begin
  select coalesce(own.most, each.most), coalesce(own.rate, each.rate),
      case when own.rate is null then each.period else own.period end,
      case when own.rate is null then each.burst else own.burst end, own.paused_at is not null
    into most, rate, period, burst, paused
    from (values (p_source, p_work_type)) asked(source, work_type)
    left join dibs.claim_gate own
      on own.source = asked.source and own.work_type = asked.work_type
        and own.scope = case p_key when '' then 'work type' else 'key' end and own.key = p_key
    left join dibs.claim_gate each
      on each.source = asked.source and each.work_type = asked.work_type
        and each.scope = 'each key' and each.key = '' and p_key <> '';
end $$;
comment on function dibs.claim_gate_of(text, text, text) is
  'The gate of a kind of work (key empty) or of a key for it; nulls where it has none.';

create or replace function dibs.claim_room(p_source text, p_work_type text, p_key text, p_claimed bigint) returns int
  language plpgsql volatile set search_path = '' as $$
declare
  v_gate record := dibs.claim_gate_of(p_source, p_work_type, p_key);
begin
  return case when v_gate.paused then 0 else greatest(0, least(
    v_gate.most - p_claimed,
    case when v_gate.rate is not null then dibs.tokens_left(v_gate, (
      select b.spent_until from dibs.claim_bucket b
      where b.source = p_source and b.work_type = p_work_type and b.key = p_key)) end,
    1000000)) end;
end $$;
comment on function dibs.claim_room(text, text, text, bigint) is
  'How many more rows the gate of a kind of work (key empty) or of a key lets through while so many are claimed; a
million where it has no bound.';

create or replace function dibs.claims_open_at(p_source text, p_work_type text, p_key text) returns timestamptz
  language plpgsql stable set search_path = '' as $$
declare
  v_gate record := dibs.claim_gate_of(p_source, p_work_type, p_key);
begin
  return dibs.next_token_at(v_gate, (
    select b.spent_until from dibs.claim_bucket b
    where b.source = p_source and b.work_type = p_work_type and b.key = p_key));
end $$;
comment on function dibs.claims_open_at(text, text, text) is
  'When the rate of a kind of work (key empty) or of a key lets the next row be claimed; null for now, or where there is
none.';

create or replace function dibs.lock_claim_gate(p_source text, p_work_type text, p_key text) returns boolean
  language plpgsql set search_path = '' as $$
declare
  v_gate record := dibs.claim_gate_of(p_source, p_work_type, p_key);
begin
  return v_gate.most is null and v_gate.rate is null or pg_try_advisory_xact_lock(hashtextextended(
    format('dibs.claim_gate:%s:%L:%L', p_source, p_work_type, p_key), 0));
end $$;
comment on function dibs.lock_claim_gate(text, text, text) is
  'Whether nobody else is claiming through this gate, for the rest of the transaction. Always where it has no bound.';

create or replace function dibs.pass_claim_gate(p_source text, p_work_type text, p_key text, p_count int) returns void
  language plpgsql set search_path = '' as $$
declare
  v_gate record := dibs.claim_gate_of(p_source, p_work_type, p_key);
  v_now timestamptz := dibs.clock();
  v_spent interval := case when v_gate.rate is null then '0' else p_count * v_gate.period / v_gate.rate end;
begin
  if v_gate.most is null and v_gate.rate is null then return; end if;
  insert into dibs.claim_bucket as b (source, work_type, key, spent_until, passed_at)
    values (p_source, p_work_type, p_key, v_now + v_spent, v_now)
    on conflict (source, work_type, key) do update
    set spent_until = greatest(b.spent_until, v_now) + v_spent, passed_at = v_now;
end $$;
comment on function dibs.pass_claim_gate(text, text, text, int) is
  'Note that so many rows were claimed through a gate that is locked.';

create or replace function dibs.has_key_gates(p_source text, p_work_type text) returns boolean
  language plpgsql stable set search_path = '' as $$
begin
  return exists (
    select from dibs.claim_gate g
    where g.source = p_source and g.work_type = p_work_type and g.scope in ('each key', 'key'));
end $$;
comment on function dibs.has_key_gates(text, text) is 'Whether anything is set for keys of rows, for a kind of work.';

create or replace function dibs.tidy_claim_gates() returns void
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
begin
  -- After a day, which no transaction lasts that might have to meet them.
  delete from dibs.claim_bucket where ctid = any (array(
    select b.ctid from dibs.claim_bucket b
    where b.passed_at < v_now - interval '1 day' and b.spent_until < v_now
      and dibs.lock_claim_gate(b.source, b.work_type, b.key)));
end $$;
comment on function dibs.tidy_claim_gates() is 'Forget what was claimed through gates long ago.';

-- Made for each source -----------------------------------------------------------------------------

select dibs.define_for_sources('555 gates', 'every source', $define$
select dibs.define_row_keys('{source}');

create or replace function dibs.key_of_{thoughts}(p_id {type}) returns text
  language plpgsql stable set search_path = '' as $$
begin
  return {key_of};
end $$;
comment on function dibs.key_of_{thoughts}({type}) is 'Whose a {thing} is, empty for nobody''s.';

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

create or replace function dibs.claimed_by_key_{thoughts}(p_work_type text, p_besides {type}[] default '{}')
  returns jsonb
  language plpgsql stable set search_path = '' as $$
declare
  v_claimed constant text := 'claimed';
begin
  return (
    select coalesce(jsonb_object_agg(counted.key, counted.n), '{}')
    from (
      select k.key, count(*) as n
      from (
        select c.{id} as id from {claims} c where c.work_type = p_work_type and c.status = v_claimed
        union all select unnest(p_besides)
      ) held, lateral (select dibs.key_of_{thoughts}(held.id) as key offset 0) k
      where k.key <> ''
      group by k.key
    ) counted);
end $$;
comment on function dibs.claimed_by_key_{thoughts}(text, {type}[]) is
  'How many {thing}s of which key are claimed for a kind of work, or about to be, as an object.';

create or replace function dibs.room_for_{thoughts}(p_work_type text) returns int
  language plpgsql stable set search_path = '' as $$
begin
  if not exists (select from dibs.claim_gate where source = '{source}' and work_type in ('', p_work_type)) then
    return 1000000;
  elsif exists (select from dibs.claim_gate where source = '{source}' and work_type = '') then
    return 0;
  end if;
  return dibs.claim_room('{source}', p_work_type, '', dibs.count_claimed_{thoughts}(p_work_type));
end $$;
comment on function dibs.room_for_{thoughts}(text) is
  'How many {thing}s may be claimed for a kind of work, as far as can be seen; a million where there is no bound.';

-- Letting through ----------------------------------------------------------------------------------

create or replace function dibs.let_pass_{thoughts}(p_work_type text, p_fence bigint) returns boolean
  language plpgsql set search_path = '' as $$
declare
  v_ids {type}[] := array(select c.{id} from {claims} c where c.fence = p_fence order by {send}(c.{id}));
  v_kept {type}[] := v_ids;
begin
  if exists (select from dibs.claim_gate where source = '{source}' and work_type = '') then
    v_kept := '{}';
  elsif exists (select from dibs.claim_gate where source = '{source}' and work_type = p_work_type) then
    if dibs.has_key_gates('{source}', p_work_type) then
      v_kept := dibs.let_keys_pass_{thoughts}(p_work_type, v_kept);
    end if;
    if exists (select from dibs.claim_gate
        where source = '{source}' and work_type = p_work_type and scope = 'work type') then
      -- Two statements: the count has to see what whoever had the lock before has claimed.
      if not dibs.lock_claim_gate('{source}', p_work_type, '') then v_kept := '{}'; end if;
      v_kept := v_kept[:dibs.claim_room('{source}', p_work_type, '',
        dibs.count_claimed_{thoughts}(p_work_type) - cardinality(v_ids))];
      if v_kept <> '{}' then
        perform dibs.pass_claim_gate('{source}', p_work_type, '', cardinality(v_kept));
      end if;
    end if;
    perform dibs.pass_claim_gate('{source}', p_work_type, passed.key, passed.n)
      from (
        select k.key, count(*)::int as n
        from unnest(v_kept) kept (id), lateral (select dibs.key_of_{thoughts}(kept.id) as key offset 0) k
        where k.key <> '' and dibs.has_key_gates('{source}', p_work_type)
        group by k.key
      ) passed;
  end if;
  if cardinality(v_kept) < cardinality(v_ids) then
    delete from {claims} c where c.fence = p_fence and c.{id} <> all (v_kept);
  end if;
  return v_kept <> '{}';
end $$;
comment on function dibs.let_pass_{thoughts}(text, bigint) is
  'Take back of the claims of a new grant what is more than the gates of its kind of work let through. Whether some are
left. Asked when they are written, since whoever sets a gate waits for whoever writes claims.';

create or replace function dibs.let_keys_pass_{thoughts}(p_work_type text, p_ids {type}[]) returns {type}[]
  language plpgsql set search_path = '' as $$
declare
  v_keys text[] := array(select coalesce(dibs.key_of_{thoughts}(i.id), '') from unnest(p_ids) with ordinality i (id, n)
    order by i.n);
  v_open text[];
  v_claimed jsonb;
begin
  -- Every lock before the count, which so sees what whoever had one before has claimed.
  v_open := array(
    select k.key from (select distinct unnest(v_keys) as key offset 0) k
    where k.key = '' or dibs.lock_claim_gate('{source}', p_work_type, k.key));
  v_claimed := dibs.claimed_by_key_{thoughts}(p_work_type);
  return array(
    select r.id from (
      select i.id, i.n, i.key, row_number() over (partition by i.key order by i.n) as nth,
        count(*) over (partition by i.key) as new
      from unnest(p_ids, v_keys) with ordinality i (id, key, n)
    ) r
    where r.key = '' or r.key = any (v_open)
      and r.nth <= dibs.claim_room('{source}', p_work_type, r.key, coalesce((v_claimed ->> r.key)::int - r.new, 0))
    order by r.n);
end $$;
comment on function dibs.let_keys_pass_{thoughts}(text, {type}[]) is
  'Those of a new grant that the gates of their keys let through, which stay locked.';
$define$);

select dibs.seal();
