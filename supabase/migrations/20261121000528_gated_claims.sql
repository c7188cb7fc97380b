-- Claiming through gates: which keys are next, what each gate lets through, and what that takes of it.
--
-- Never waits: a task, a place or a rate that somebody else is at is left out this time.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.gated_lanes(p_types text[]) returns dibs.hint[]
  language plpgsql set search_path = '' as $$
begin
  return array(
    with recursive type as (
      select t as type from unnest(p_types) t where p_types <> array['']
      union all
      (select g.type from dibs.gated g where p_types = array[''] order by g.type limit 1)
      union all
      select next.type from type, lateral (
        select g.type from dibs.gated g where p_types = array[''] and g.type > type.type order by g.type limit 1) next
    ), lane as (
      select t.type, first.priority from type t,
        lateral (select g.priority from dibs.gated g where g.type = t.type order by g.priority limit 1) first
      union all
      select lane.type, next.priority from lane,
        lateral (
          select g.priority from dibs.gated g
          where g.type = lane.type and g.priority > lane.priority order by g.priority limit 1
        ) next
    )
    -- A lane without a length of runs is one of gated; what is first in it is what was seen.
    select row(
      lane.type, lane.priority, 'infinity', '-infinity', 0, head.run_at, 0, 0, 'infinity', 'infinity',
      true)::dibs.hint
    from lane,
      lateral (
        select g.run_at from dibs.gated g where g.type = lane.type and g.priority = lane.priority
        order by g.run_at limit 1
      ) head
    where not exists (
      select from dibs.gate g
      where g.type = lane.type and g.scope = 'type' and g.key = '' and g.paused_at is not null));
end $$;
comment on function dibs.gated_lanes(text[]) is
  'The lanes in which tasks wait at gates, but for types that are paused. p_types: {''''} stands for all.';

create or replace function dibs.take_gated(
    p_type text, p_priority smallint, p_wanted int, p_taken tid[],
    out tasks int8multirange, out plain boolean, out count int, out slots tid[], out slot_tasks bigint[])
  language plpgsql set search_path = '' as $$
declare
  v_gate record;
  v_places tid[];
  v_keys text[];
  v_key text;
  v_last text;
  v_noted boolean;
  v_taken record;
  v_left int := p_wanted;
  v_before int;
  v_to_go int;
begin
  count := 0;
  slots := '{}';
  slot_tasks := '{}';
  perform dibs.see_gates();
  v_gate := dibs.gate_of(p_type, '');
  if v_gate.paused or dibs.all_paused() then return; end if;
  if v_gate.rate is not null then v_left := least(v_left, dibs.tokens(p_type, '', v_gate)); end if;
  if v_gate.most is not null then
    v_places := dibs.free_slots(p_type, '', '', v_gate.most, v_left, p_taken);
    v_left := least(v_left, cardinality(v_places));
  end if;
  if v_left > 0 then v_keys := dibs.next_keys(p_type, p_priority, v_left); end if;

  -- An equal share for each, and what is left of it for those who have more.
  loop
    exit when v_left = 0 or v_keys = '{}';
    v_before := v_left;
    v_to_go := cardinality(v_keys);
    foreach v_key in array v_keys loop
      exit when v_left = 0;
      v_taken := dibs.take_key(p_type, p_priority, v_key, ceil(v_left / v_to_go::real)::int, p_taken || slots);
      v_to_go := v_to_go - 1;
      if cardinality(v_taken.tasks) > 0 then
        slots := slots || v_taken.slots || v_places[count + 1 : count + cardinality(v_taken.tasks)];
        slot_tasks := slot_tasks || v_taken.slot_tasks
          || case when v_places is null then '{}' else v_taken.tasks end;
        tasks := coalesce(tasks, '{}') + (select range_agg(int8range(t, t + 1)) from unnest(v_taken.tasks) t);
        plain := v_taken.plain and plain is not false;
        count := count + cardinality(v_taken.tasks);
        v_left := v_left - cardinality(v_taken.tasks);
        v_last := v_key;
        v_noted := v_taken.served is not null;
        if v_noted then perform dibs.note_turn(p_type, p_priority, v_key, v_taken.served); end if;
      end if;
    end loop;
    exit when v_left = v_before;
  end loop;

  if count = 0 then return; end if;
  if v_gate.rate is not null then perform dibs.spend(p_type, '', v_gate, count); end if;
  if v_last <> '' and not v_noted then perform dibs.note_turn(p_type, p_priority, v_last, ''); end if;
end $$;
comment on function dibs.take_gated(text, smallint, int, tid[]) is
  'Take up to p_wanted tasks of a lane that all their gates let through, from one key after the other, beginning after
the one that was served last. p_taken: places that this claim has taken before.
Returns them, null when none, and the places that they are to occupy (dibs.occupy) once they are leased.';

-- Keys ---------------------------------------------------------------------------------------------

create or replace function dibs.next_keys(p_type text, p_priority smallint, p_wanted int) returns text[]
  language plpgsql set search_path = '' as $$
declare
  v_last text := (
    select t.key from dibs.turn t
    where t.type = p_type and t.priority = p_priority order by t.made_at desc limit 1);
  v_gates boolean := exists (select from dibs.gate g where g.type = p_type and g.scope in ('each key', 'key'));
  -- No key has such a character: what comes after a key.
  v_from text := coalesce(v_last || chr(1), '');
  v_keys text[] := '{}';
  v_around boolean := false;
  v_key text;
  v_order_key text;
begin
  while cardinality(v_keys) < p_wanted loop
    select g.key, g.order_key into v_key, v_order_key from dibs.gated g
      where g.type = p_type and g.priority = p_priority and g.key >= v_from order by g.key, g.order_key limit 1;
    if not found or v_around and v_key > v_last collate "C" then
      exit when v_around or v_last is null;
      v_around := true;
      v_from := '';
    else
      -- All of a key may wait for others of their order keys. It must not keep the turn of those that have some.
      if v_order_key = '' and (not v_gates or dibs.room(p_type, v_key) > 0)
        or v_order_key <> '' and dibs.passable_of_key(p_type, p_priority, v_key, 1) > 0 then
        v_keys := v_keys || v_key;
      end if;
      v_from := v_key || chr(1);
    end if;
  end loop;
  return v_keys;
end $$;
comment on function dibs.next_keys(text, smallint, int) is
  'Up to so many keys of a lane that have tasks waiting, of which one could run, and an open gate, in turn. Empty: that
of tasks without.';

create or replace function dibs.take_key(
    p_type text, p_priority smallint, p_key text, p_wanted int, p_taken tid[],
    out tasks bigint[], out plain boolean, out slots tid[], out slot_tasks bigint[], out served text)
  language plpgsql set search_path = '' as $$
declare
  v_gate record := dibs.gate_of(p_type, nullif(p_key, ''));
  v_places tid[];
  v_last text := (
    select t.order_key from dibs.turn t
    where t.type = p_type and t.priority = p_priority and t.key = p_key order by t.made_at desc limit 1);
  v_from text := coalesce(v_last || chr(1), '');
  v_around boolean := false;
  v_order_key text;
  v_found record;
begin
  tasks := '{}';
  plain := true;
  slots := '{}';
  slot_tasks := '{}';
  if v_gate.paused then return; end if;
  if v_gate.rate is not null then p_wanted := least(p_wanted, dibs.tokens(p_type, p_key, v_gate)); end if;
  if v_gate.most is not null then
    v_places := dibs.free_slots(p_type, p_key, '', v_gate.most, p_wanted, p_taken);
    p_wanted := least(p_wanted, cardinality(v_places));
  end if;

  while cardinality(tasks) < p_wanted loop
    select g.order_key into v_order_key from dibs.gated g
      where g.type = p_type and g.priority = p_priority and g.key = p_key and g.order_key >= v_from
      order by g.order_key limit 1;
    if not found or v_around and v_order_key > v_last collate "C" then
      exit when v_around or v_last is null;
      v_around := true;
      v_from := '';
      continue;
    end if;
    if v_order_key = '' then
      v_found := dibs.take_unordered(p_type, p_priority, p_key, p_wanted - cardinality(tasks));
      tasks := tasks || v_found.tasks;
      plain := plain and v_found.plain;
    else
      v_found := dibs.take_first_in_order(p_type, p_priority, p_key, v_order_key);
      if v_found.task is not null then
        tasks := tasks || v_found.task;
        slots := slots || v_found.slot;
        slot_tasks := slot_tasks || v_found.task;
        plain := false;
        served := v_order_key;
      end if;
    end if;
    v_from := v_order_key || chr(1);
  end loop;

  if tasks = '{}' then return; end if;
  if v_places is not null then
    slots := slots || v_places[1 : cardinality(tasks)];
    slot_tasks := slot_tasks || tasks;
  end if;
  if v_gate.rate is not null then
    perform dibs.spend(p_type, p_key, v_gate, cardinality(tasks));
  end if;
end $$;
comment on function dibs.take_key(text, smallint, text, int, tid[]) is
  'Take up to so many tasks of a key (empty: of tasks without one) of a lane: of its order keys one each, in turn.
Returns their numbers, the places that they are to occupy, and the order key that was served last, if any.';

create or replace function dibs.note_turn(p_type text, p_priority smallint, p_key text, p_order_key text) returns void
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  insert into dibs.turn values (p_type, p_priority, p_key, p_order_key, v_now);
  if random() < 0.02 then
    delete from dibs.turn where ctid = any (array(
      select t.ctid from dibs.turn t
      where t.type = p_type and t.priority = p_priority and t.made_at < v_now - interval '1 min'
      for update skip locked));
  end if;
end $$;
comment on function dibs.note_turn(text, smallint, text, text) is 'Note whose tasks were just claimed.';

-- Tasks --------------------------------------------------------------------------------------------

create or replace function dibs.take_unordered(
    p_type text, p_priority smallint, p_key text, p_wanted int, out tasks bigint[], out plain boolean)
  language plpgsql set search_path = '' as $$
declare
  v_at tid[];
  v_held int8multirange;
  v_last dibs.gated;
  v_rest int8multirange;
begin
  -- Runs are long where there is no key; then fewer would do, but how many is not known.
  select array_agg(g.ctid), bool_and(g.plain), range_agg(g.run) into v_at, plain, v_held
  from (
    select g.ctid, g.plain, g.run,
      sum(dibs.count_of(g.run)) over (order by g.run_at, lower(g.run)) - dibs.count_of(g.run) as before
    from (
      select g.ctid, g.plain, g.run, g.run_at from dibs.gated g
      where g.type = p_type and g.priority = p_priority and g.key = p_key and g.order_key = ''
      order by g.run_at, lower(g.run) limit p_wanted for update skip locked
    ) g
  ) g
  where before < p_wanted;
  tasks := '{}';
  plain := coalesce(plain, true);
  if v_at is null then return; end if;
  tasks := array(select t from unnest(v_held) r, generate_series(lower(r), upper(r) - 1) t);
  if cardinality(tasks) > p_wanted then
    -- The last run gets cut.
    select * into v_last from dibs.gated where ctid = v_at[cardinality(v_at)];
    v_rest := (
      select range_agg(int8range(t, t + 1))
      from (
        select t from unnest(v_last.run) r, generate_series(lower(r), upper(r) - 1) t
        order by t desc limit cardinality(tasks) - p_wanted
      ) u);
    insert into dibs.gated (type, priority, key, order_key, run_at, run, plain)
      values (p_type, p_priority, p_key, '', v_last.run_at, v_rest, v_last.plain);
    tasks := array(select t from unnest(v_held - v_rest) r, generate_series(lower(r), upper(r) - 1) t);
  end if;
  delete from dibs.gated where ctid = any (v_at);
end $$;
comment on function dibs.take_unordered(text, smallint, text, int) is
  'Take up to so many tasks of a key that have no order key, the oldest first.';

create or replace function dibs.take_first_in_order(
    p_type text, p_priority smallint, p_key text, p_order_key text, out task bigint, out slot tid)
  language plpgsql set search_path = '' as $$
declare
  v_first bigint := (
    select o.task from dibs.in_order o where o.type = p_type and o.order_key = p_order_key order by o.task limit 1);
  v_at tid := (
    select g.ctid from dibs.gated g
    where lower(g.run) >> 7 = v_first >> 7 and g.run @> v_first and g.priority = p_priority and g.key = p_key
    for update skip locked);
begin
  if v_at is null then return; end if;
  slot := (dibs.free_slots(p_type, '', p_order_key, 1, 1, '{}'))[1];
  if slot is null then return; end if;
  delete from dibs.gated where ctid = v_at;
  task := v_first;
end $$;
comment on function dibs.take_first_in_order(text, smallint, text, text) is
  'Take the first task of an order key that has not ended, if it is the one that waits and none of them is running.';

select dibs.seal();
