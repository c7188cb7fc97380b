-- The next rows to claim, where keys have gates: those of keys that are open, found in the pool by key. Rows of other
-- keys stay in there until theirs opens.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

select dibs.define_for_sources('557 keys in pool', 'every source', $define$
create or replace function dibs.take_open_{thoughts}(
  p_work_type text, p_wanted int, p_piece int, p_locked {type}[]
) returns {type}[]
  language plpgsql set search_path = '' as $$
declare
  v_until timestamptz := clock_timestamp() + interval '50 ms';
  v_fill bigint := (select p.fill from {pass} p where p.work_type = p_work_type) - floor(3 * random())::int;
  v_place uuid := gen_random_uuid();
  v_claimed jsonb;
  v_begin text;
  v_from text;
  v_key text;
  v_ids {type}[] := '{}';
begin
  if not dibs.has_key_gates('{source}', p_work_type) then
    return dibs.take_from_pool{of}(p_work_type, p_wanted, p_piece);
  end if;
  v_claimed := dibs.claimed_by_key_{thoughts}(p_work_type, p_locked);
  -- Anywhere, so that claims that run at once begin with different keys.
  v_begin := coalesce((
    select r.key from {run} r
    where r.work_type = p_work_type and (r.fill, r.place) >= (v_fill, v_place)
    order by r.fill, r.place limit 1), '');
  v_from := v_begin;
  for v_round in 1..2 loop
    loop
      v_key := dibs.next_open_key_of_{thoughts}(p_work_type, v_from, v_claimed);
      exit when v_key is null or v_round = 2 and v_key >= v_begin;
      if v_key = '' or dibs.lock_claim_gate('{source}', p_work_type, v_key) then
        v_ids := v_ids || dibs.take_of_key_{thoughts}(p_work_type, v_key, p_piece, least(
          p_wanted - cardinality(v_ids),
          dibs.claim_room('{source}', p_work_type, v_key, coalesce((v_claimed ->> v_key)::int, 0))));
        if cardinality(v_ids) >= p_wanted or v_ids <> '{}' and clock_timestamp() > v_until then return v_ids; end if;
      end if;
      v_from := v_key || chr(1);  -- the next text there is
    end loop;
    v_from := '';
  end loop;
  return v_ids;
end $$;
comment on function dibs.take_open_{thoughts}(text, int, int, {type}[]) is
  'What dibs.take_from_pool is, where keys have gates: take of keys that are open, as many of each as it lets through.
p_locked: what this call has already.';

create or replace function dibs.next_open_key_of_{thoughts}(p_work_type text, p_from text, p_claimed jsonb) returns text
  language plpgsql volatile set search_path = '' as $$
declare
  v_key text := p_from;
begin
  loop
    v_key := (select r.key from {run} r where r.work_type = p_work_type and r.key >= v_key order by r.key limit 1);
    -- Those without a key pass by the gates of keys.
    exit when v_key is null or v_key = ''
      or dibs.claim_room('{source}', p_work_type, v_key, coalesce((p_claimed ->> v_key)::int, 0)) > 0;
    v_key := v_key || chr(1);
  end loop;
  return v_key;
end $$;
comment on function dibs.next_open_key_of_{thoughts}(text, text, jsonb) is
  'The first key in the pool from a text on that would be let through, while so many are claimed; null for none.';

create or replace function dibs.take_of_key_{thoughts}(p_work_type text, p_key text, p_piece int, p_wanted int)
  returns {type}[]
  language plpgsql set search_path = '' as $$
declare
  v_runs int := ceil(p_wanted / 100.0);
  v_found boolean;
  v_taken {type}[];
  v_ids {type}[] := '{}';
begin
  while cardinality(v_ids) < p_wanted loop
    with run as materialized (
      select r.ctid as at, r.ids
      from {run} r
      where r.work_type = p_work_type and r.key = p_key
      order by r.fill, r.place
      limit v_runs
      for update skip locked
    ), gone as (
      delete from {run} where ctid = any (array(select run.at from run))
    )
    select exists (select from run), array(
        select id from (select distinct id from run, unnest(run.ids) id) taken
        where id <> all (v_ids) and not exists (
          select from {claims} c
          where c.{id} = id and c.work_type || '' = p_work_type{blocks} offset 0))
      into v_found, v_taken;
    exit when not v_found;
    v_ids := v_ids || v_taken;
    v_runs := 2 * v_runs;
  end loop;
  if cardinality(v_ids) > p_wanted then
    perform dibs.put_in_pool{of}(p_work_type, v_ids[p_wanted + 1:], least(p_piece, 100));
  end if;
  return v_ids[:p_wanted];
end $$;
comment on function dibs.take_of_key_{thoughts}(text, text, int, int) is
  'Take up to so many {thing}s of a key out of the pool that no other caller is taking. Apart from dibs.take_from_pool,
since each of the two has one index that fits.';
$define$);

select dibs.seal();
