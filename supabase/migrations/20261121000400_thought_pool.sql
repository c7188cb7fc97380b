-- The next thoughts that nobody has claimed, without looking at those that somebody has. Looking for
-- unclaimed thoughts costs more the more are claimed; so it is done rarely and in bulk, in a pass
-- over all thoughts, and what it finds waits in a pool, from which claims take.
--
-- The pool is only a guess. Whatever is taken from it goes through lock_claimable, so a thought that
-- stands in it twice, or is long claimed, or gone, does no harm. What is missing, the next pass finds.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

select dibs.define_for_sources('400 pool', 'every source', $define$
create table if not exists {run} (
  work_type text not null,
  -- Claimers look at what the latest searches found only, so that dead entries of earlier ones, which an
  -- old snapshot keeps, are not in their way.
  fill bigint not null,
  -- Random, so that claimers start in different places, and rows taken a moment ago lie scattered
  -- instead of in front of everyone.
  place uuid not null default gen_random_uuid(),
  ids {type}[] not null,
  key text collate "C" not null default '',
  primary key (work_type, fill, place)
);
-- For databases that have the table from before.
do $$
begin
  if not exists (
    select from pg_catalog.pg_attribute where attrelid = '{run}'::regclass and attname = 'key') then
    alter table {run} add column key text collate "C" not null default '';
  end if;
end $$;
comment on table {run} is
  'The pool: up to 100 {thing}s a row that had no claim when they were put in, all of one key. Rows are inserted and
deleted, never updated.';

create table if not exists {pass} (
  work_type text primary key,
  -- Null: at the beginning.
  position {type},
  began_at timestamptz not null default 'epoch',
  debt interval not null default '0',
  fill bigint not null default 0
);
comment on table {pass} is
  'How far the search for unclaimed {thing}s has come, in the order of their ids; a row for each work type that
uses the pool. debt: how long passes took, without what was rested off when the last one began. fill: how many searches
found some. Updated in place, once for ten thousand {thing}s.';

-- Claiming -----------------------------------------------------------------------------------------

create or replace function dibs.lock_next_claimable{of}(p_work_type text, p_limit int) returns {type}[]
  language plpgsql set search_path = '' as $$
declare
  v_began timestamptz := clock_timestamp();
  v_searching boolean := false;
  v_ids {type}[];
  v_locked {type}[] := '{}';
begin
  loop
    v_ids := {take};
    if v_ids = '{}' then
      if v_searching then
        exit when clock_timestamp() > v_began + interval '2 s' or not dibs.fill_pool{of}(p_work_type, v_began);
        continue;
      end if;
      v_searching := pg_try_advisory_xact_lock(hashtextextended('{pass}:' || p_work_type, 0));
      continue when v_searching;  -- whoever searched before may have filled it by now
      -- Somebody is searching for all. Rather than wait, look around a little, unless there are some already.
      exit when v_locked <> '{}';
      return dibs.lock_claimable{of}(p_work_type, dibs.look_around{of}(p_work_type, p_limit));
    end if;
    v_ids := dibs.lock_claimable{of}(p_work_type, v_ids);
    -- A thought that stood in the pool twice could be locked twice.
    v_locked := case v_locked when '{}' then v_ids
      else array(select unnest(v_locked) union select unnest(v_ids)) end;
    exit when cardinality(v_locked) >= p_limit;
  end loop;
  return v_locked;
end $$;
comment on function dibs.lock_next_claimable{of}(text, int) is
  'Up to so many {thing}s that probably have no claim, locked as lock_claimable does. Fewer only when the search
has come to the end of all {thing}s, or while another caller searches.';

create or replace function dibs.take_from_pool{of}(p_work_type text, p_wanted int, p_piece int) returns {type}[]
  language plpgsql set search_path = '' as $$
declare
  v_fill bigint := (select p.fill from {pass} p where p.work_type = p_work_type);
  v_place uuid := gen_random_uuid();
  v_from bigint := v_fill;
  v_runs int := ceil(p_wanted / 100.0);
  v_found boolean;
  v_taken {type}[];
  v_ids {type}[] := '{}';
begin
  while cardinality(v_ids) < p_wanted loop
    -- Runs are never updated, so that the row locked is the very row deleted.
    with run as materialized (
      select r.ctid as at, r.ids
      from {run} r
      where r.work_type = p_work_type and (r.fill, r.place) >= (v_from, v_place)
      order by r.fill, r.place
      limit v_runs
      for update skip locked
    ), gone as (
      delete from {run} where ctid = any (array(select run.at from run))
    )
    -- Without those that stand there twice or were claimed by name since: they would count as found.
    select exists (select from run), array(
        select id from (select id, row_number() over () as nth from run, unnest(run.ids) id) taken
        where id <> all (v_ids) and not exists (
          select from {claims} c
          where c.{id} = id and c.work_type || '' = p_work_type{blocks} offset 0)
        group by id order by min(nth))
      into v_found, v_taken;
    if v_found then
      v_ids := v_ids || v_taken;
      v_runs := 2 * v_runs;  -- they are short
    else
      exit when v_from < v_fill or v_fill is null;
      v_from := v_fill - 2;
      v_place := '00000000-0000-0000-0000-000000000000';
    end if;
  end loop;

  if cardinality(v_ids) > p_wanted then
    -- In pieces of the size in demand, so that whoever comes next need not cut.
    perform dibs.put_in_pool{of}(p_work_type, v_ids[p_wanted + 1:], least(p_piece, 100));
    return v_ids[:p_wanted];
  end if;
  return v_ids;
end $$;
comment on function dibs.take_from_pool{of}(text, int, int) is
  'Take up to so many {thing}s out of the pool that no other caller is taking; none when there are none.
p_piece: in what pieces the rest of a run goes back.';

-- Searching ----------------------------------------------------------------------------------------

create or replace function dibs.fill_pool{of}(p_work_type text, p_call_began timestamptz) returns boolean
  language plpgsql set search_path = '' as $$
declare
  v_until timestamptz := clock_timestamp() + interval '2 s';
  v_before {pass};
  v_pass {pass};
  v_went_on timestamptz;
  v_ids {type}[] := '{}';
begin
  insert into {pass} (work_type) values (p_work_type) on conflict do nothing;
  select * into v_before from {pass} where work_type = p_work_type;
  v_pass := v_before;
  loop
    v_went_on := clock_timestamp();
    if v_pass.position is null then
      -- One pass a call is enough.
      exit when v_pass.began_at >= p_call_began or dibs.pass_rests{of}(v_pass);
      v_pass.debt := dibs.search_debt{of}(v_pass);
      v_pass.began_at := v_went_on;
      -- What claimers no longer look at, this pass finds again.
      delete from {run} where ctid = any (array(
        select r.ctid from {run} r
        where r.work_type = p_work_type and r.fill < v_pass.fill - 2
        for update skip locked));
    end if;
    select s.ids, s.reached into v_ids, v_pass.position
    from dibs.search_unclaimed{of}(p_work_type, v_pass.position, 10000, v_until) s;
    v_pass.debt := v_pass.debt + (clock_timestamp() - v_went_on);
    exit when v_ids <> '{}' or clock_timestamp() > v_until;
  end loop;

  -- Asking in vain writes nothing, about a few thoughts and while passes rest.
  if v_ids <> '{}' or v_pass.position is distinct from v_before.position
    or v_pass.began_at > v_before.began_at and dibs.search_debt{of}(v_pass) > interval '0' then
    update {pass}
    set position = v_pass.position, began_at = v_pass.began_at, debt = v_pass.debt,
      fill = fill + case v_ids when '{}' then 0 else 1 end
    where work_type = p_work_type;
    perform dibs.put_in_pool{of}(p_work_type, v_ids);
  end if;
  return v_ids <> '{}';
end $$;
comment on function dibs.fill_pool{of}(text, timestamptz) is
  'Go on with the pass over all {thing}s until some have no claim, and put those in the pool. False when a whole
pass found none, when it is too early for another, or after 2 seconds. One caller at a time.';

create or replace function dibs.pass_rests{of}(p_pass {pass}) returns boolean
  language plpgsql set search_path = '' as $$
begin
  -- A second in advance, so that what is new among few thoughts is found at once, also on a machine that stalls.
  return p_pass.position is null and dibs.search_debt{of}(p_pass) > interval '1 s';
end $$;
comment on function dibs.pass_rests{of}({pass}) is
  'Whether it is too early to begin another pass over all {thing}s.';

create or replace function dibs.search_debt{of}(p_pass {pass}) returns interval
  language plpgsql set search_path = '' as $$
begin
  -- The least pass costs nothing, however often one comes.
  return greatest(p_pass.debt - interval '10 ms' - (clock_timestamp() - p_pass.began_at) / 20, interval '0');
end $$;
comment on function dibs.search_debt{of}({pass}) is
  'How long passes took and are still to be rested for. One pass after the other over very many {thing}s would keep the
database busy with nothing to do; in the long run those of more than 10 ms may take a twentieth of the time.';

create or replace function dibs.search_unclaimed{of}(
  p_work_type text, p_from {type}, p_wanted int, p_until timestamptz, out ids {type}[], out reached {type}
)
  language plpgsql set search_path = '' as $$
declare
  v_size int := least(10 * p_wanted, 10000);
  v_step {type}[];
begin
  ids := '{}';
  reached := coalesce(p_from, '{least}');
  loop
    v_step := array(select t.id from {rows} t where t.id >= reached order by t.id limit v_size + 1);
    -- One stretch of the primary key each.
    ids := ids || array(
      select wanted.id from unnest(v_step[:v_size]) wanted (id){wanted}
      except
      select c.{id}
      from {claims} c
      where c.{id} >= v_step[1] and c.{id} <= v_step[cardinality(v_step)]
        and c.work_type || '' = p_work_type{blocks}
      order by 1);
    reached := v_step[v_size + 1];
    exit when reached is null or cardinality(ids) >= p_wanted or clock_timestamp() > p_until;
  end loop;
end $$;
comment on function dibs.search_unclaimed{of}(text, {type}, int, timestamptz) is
  'Thoughts without a claim from an id (null: the first) on, in steps of at most 10000 {thing}s, until enough are
found, the last {thing} (reached is null then), or a moment.';

create or replace function dibs.look_around{of}(p_work_type text, p_wanted int) returns {type}[]
  language plpgsql set search_path = '' as $$
declare
  v_until timestamptz := clock_timestamp() + interval '50 ms';
  v_pass {pass};
  v_ids {type}[];
begin
  select * into v_pass from {pass} where work_type = p_work_type;
  if dibs.pass_rests{of}(v_pass) then return '{}'; end if;
  v_ids := (select s.ids from dibs.search_unclaimed{of}(p_work_type, v_pass.position, p_wanted, v_until) s);
  if v_ids = '{}' and v_pass.position is not null then
    v_ids := (select s.ids from dibs.search_unclaimed{of}(p_work_type, null, p_wanted, v_until) s);
  end if;
  -- Others are looking at the same ones.
  return array(select id from unnest(v_ids) id order by random() limit p_wanted);
end $$;
comment on function dibs.look_around{of}(text, int) is
  'A few {thing}s without a claim near to where the pass is, for those who cannot wait for it.';

-- Filling ------------------------------------------------------------------------------------------

create or replace function dibs.put_in_pool{of}(p_work_type text, p_ids {type}[], p_piece int default 100) returns void
  language plpgsql set search_path = '' as $$
begin
  insert into {run} (work_type, fill, ids, key)
  select p.work_type, p.fill, k.ids[first : first + p_piece - 1], k.key
  from {pass} p, {by_key} k, generate_series(1, cardinality(k.ids), p_piece) first
  where p.work_type = p_work_type;
end $$;
comment on function dibs.put_in_pool{of}(text, {type}[], int) is
  'Add {thing}s to the pool of a work type that has one, so many a row.';

create or replace function dibs.pool_freed_{thoughts}() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from {pass}) then
    perform dibs.put_in_pool{of}(f.work_type, array_agg(f.{id}))
    from freed f, lateral (select from {table} t where t.{key} = f.{id} offset 0) t
    group by f.work_type;
  end if;
  return null;
end $$;
comment on function dibs.pool_freed_{thoughts}() is
  'Put {thing}s whose claim was deleted back into the pool, whoever deleted it. Security definer, because deleting
a {thing} deletes its claims, and who may do that need not have rights in Dibs.';

do $$
begin
  if not exists (select from pg_trigger
    where tgrelid = '{claims}'::regclass and tgname = 'pool_freed_{thoughts}'
  ) then
    create trigger pool_freed_{thoughts}
      after delete on {claims}
      referencing old table as freed
      for each statement execute function dibs.pool_freed_{thoughts}();
  end if;
end $$;
$define$);

select dibs.seal();
