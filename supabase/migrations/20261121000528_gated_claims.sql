-- Claiming through gates: what each gate lets through, and what that takes of it.
--
-- Never waits: a task, a place or a rate that somebody else is at is left out this time.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.take_gated(
    p_type text, p_priority smallint, p_wanted int, p_taken tid[],
    out tasks int8multirange, out plain boolean, out count int, out slots tid[], out slot_tasks bigint[])
  language plpgsql set search_path = '' as $$
declare
  v_gate record;
  v_places tid[];
  v_tried text[] := '{}';
  v_next record;
  v_keys text[];
  v_more text[];
  v_key text;
  v_share int;
  v_taken record;
  v_to_note text;
  v_wanted int;
  v_left int := p_wanted;
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
  if v_left = 0 then return; end if;

  -- Again where some had nothing to give, since another claim is at it, and there are more keys to ask.
  for v_round in 1..3 loop
    v_wanted := v_left;
    v_next := dibs.next_keys(p_type, p_priority, v_wanted, 1000, v_tried[cardinality(v_tried)]);
    if v_next.reached is not null then perform dibs.note_turn(p_type, p_priority, v_next.reached, ''); end if;
    v_keys := array(select key from unnest(v_next.keys) key where key <> all (v_tried));
    v_tried := v_tried || v_keys;
    -- An equal share for each, and what is left of it for those who have more.
    while v_left > 0 and v_keys <> '{}' loop
      v_more := '{}';
      v_to_go := cardinality(v_keys);
      foreach v_key in array v_keys loop
        exit when v_left = 0;
        v_share := ceil(v_left / v_to_go::real);
        v_taken := dibs.take_key(p_type, p_priority, v_key, v_share, p_taken || slots);
        v_to_go := v_to_go - 1;
        if v_taken.reached is not null then perform dibs.note_turn(p_type, p_priority, v_key, v_taken.reached); end if;
        continue when v_taken.tasks = '{}';
        slots := slots || v_taken.slots || v_places[count + 1 : count + cardinality(v_taken.tasks)];
        slot_tasks := slot_tasks || v_taken.slot_tasks || case when v_places is null then '{}' else v_taken.tasks end;
        tasks := coalesce(tasks, '{}') + (select range_agg(int8range(t, t + 1)) from unnest(v_taken.tasks) t);
        plain := v_taken.plain and plain is not false;
        count := count + cardinality(v_taken.tasks);
        v_left := v_left - cardinality(v_taken.tasks);
        v_to_note := case when v_taken.reached is null then v_key end;
        if cardinality(v_taken.tasks) = v_share then v_more := v_more || v_key; end if;
      end loop;
      v_keys := v_more;
    end loop;
    exit when v_left = 0 or cardinality(v_next.keys) < v_wanted;
  end loop;

  if count = 0 then return; end if;
  if v_gate.rate is not null then perform dibs.spend(p_type, '', v_gate, count); end if;
  if v_to_note <> '' then perform dibs.note_turn(p_type, p_priority, v_to_note, ''); end if;
end $$;
comment on function dibs.take_gated(text, smallint, int, tid[]) is
  'Take up to p_wanted tasks of a lane that all their gates let through, from one key after the other, beginning after
the one that was served last. p_taken: places that this claim has taken before.
Returns them, null when none, and the places that they are to occupy (dibs.occupy) once they are leased.';

-- Of one key ---------------------------------------------------------------------------------------

create or replace function dibs.take_key(
    p_type text, p_priority smallint, p_key text, p_wanted int, p_taken tid[],
    out tasks bigint[], out plain boolean, out slots tid[], out slot_tasks bigint[], out reached text)
  language plpgsql set search_path = '' as $$
declare
  v_gate record;
  v_places tid[];
  v_next record;
  v_unordered_since timestamptz;
  v_order_key text;
  v_found record;
begin
  tasks := '{}';
  plain := true;
  slots := '{}';
  slot_tasks := '{}';
  if p_key <> '' then
    v_gate := dibs.gate_of(p_type, p_key);
    if v_gate.paused then return; end if;
    if v_gate.rate is not null then p_wanted := least(p_wanted, dibs.tokens(p_type, p_key, v_gate)); end if;
    if v_gate.most is not null then
      v_places := dibs.free_slots(p_type, p_key, '', v_gate.most, p_wanted, p_taken);
      p_wanted := least(p_wanted, cardinality(v_places));
    end if;
    if p_wanted = 0 then return; end if;
  end if;

  v_next := dibs.next_order_keys(p_type, p_priority, p_key, p_wanted, 1000);
  reached := v_next.reached;
  -- The older of the two goes first: those that have an order key, and those that have none.
  v_unordered_since := (
    select g.run_at from dibs.gated g
    where g.type = p_type and g.priority = p_priority and g.key = p_key and g.order_key = ''
    order by g.run_at limit 1);
  if v_next.since < v_unordered_since then
    v_next.keys := array_append(v_next.keys, '');
  elsif v_unordered_since is not null then
    v_next.keys := array_prepend('', v_next.keys);
  end if;
  foreach v_order_key in array v_next.keys loop
    exit when cardinality(tasks) = p_wanted;
    if v_order_key = '' then
      v_found := dibs.take_unordered(p_type, p_priority, p_key, p_wanted - cardinality(tasks));
      tasks := tasks || v_found.tasks;
      plain := plain and v_found.plain;
    else
      v_found := dibs.take_first_in_order(p_type, p_priority, p_key, v_order_key);
      continue when v_found.task is null;
      tasks := tasks || v_found.task;
      slots := slots || v_found.slot;
      slot_tasks := slot_tasks || v_found.task;
      plain := false;
      reached := v_order_key;
    end if;
  end loop;

  if tasks = '{}' then return; end if;
  if v_places is not null then
    slots := slots || v_places[1 : cardinality(tasks)];
    slot_tasks := slot_tasks || tasks;
  end if;
  if p_key <> '' then
    if v_gate.rate is not null then perform dibs.spend(p_type, p_key, v_gate, cardinality(tasks)); end if;
  end if;
end $$;
comment on function dibs.take_key(text, smallint, text, int, tid[]) is
  'Take up to so many tasks of a key (empty: of tasks without one) of a lane: of its order keys one each, in turn.
Returns their numbers, the places that they are to occupy, and the order key to go on after, null for no matter.';

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
    where lower(g.run) = v_first and g.order_key <> '' and g.priority = p_priority and g.key = p_key
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
