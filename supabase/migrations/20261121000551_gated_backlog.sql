-- What waits at gates, for those who look without claiming: how much would be let through, and when the rest may be.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.passable(p_types text[], p_most int, out tasks bigint, out since timestamptz)
  language plpgsql set search_path = '' as $$
declare
  v_lane dibs.hint;
  v_key text;
  v_room int;
  v_found bigint;
begin
  tasks := 0;
  if dibs.all_paused() then return; end if;
  foreach v_lane in array dibs.gated_lanes(p_types) loop
    v_room := least(dibs.room(v_lane.type, ''), p_most - tasks);
    continue when v_room <= 0;
    v_found := 0;
    foreach v_key in array (select keys from dibs.next_keys(v_lane.type, v_lane.priority, v_room)) loop
      v_found := v_found + dibs.passable_of_key(v_lane.type, v_lane.priority, v_key, v_room);
    end loop;
    if v_found > 0 then
      tasks := tasks + least(v_found, v_room);
      since := least(since, v_lane.seen_run_at);
    end if;
  end loop;
end $$;
comment on function dibs.passable(text[], int) is
  'How many tasks of these types ({''''}: of all) wait at gates that would let them through now, counted up to p_most,
and since when the first of their lanes has waited.';

create or replace function dibs.passable_of_key(p_type text, p_priority smallint, p_key text, p_most int)
  returns bigint
  language plpgsql set search_path = '' as $$
declare
  v_most int := p_most;
begin
  if p_key <> '' then v_most := least(v_most, dibs.room(p_type, p_key)); end if;
  return least(v_most, (
      select coalesce(sum(dibs.count_of(g.run)), 0) from (
        select g.run from dibs.gated g
        where g.type = p_type and g.priority = p_priority and g.key = p_key and g.order_key = ''
        order by g.run_at, lower(g.run) limit v_most
      ) g
    ) + cardinality((select keys from dibs.next_order_keys(p_type, p_priority, p_key, v_most))));
end $$;
comment on function dibs.passable_of_key(text, smallint, text, int) is
  'How many tasks of a key (empty: of those without) of a lane its own gate would let through now, up to p_most.';

create or replace function dibs.opens_at(p_type text, p_key text) returns timestamptz
  language plpgsql stable set search_path = '' as $$
declare
  v_gate record := dibs.gate_of(p_type, p_key);
begin
  return dibs.next_token_at(v_gate, (
    select b.spent_until from dibs.bucket b where b.type = p_type and b.key = p_key));
end $$;
comment on function dibs.opens_at(text, text) is
  'When the rate of a type (key empty) or of a key lets the next task through; null for now, or where there is none.';

create or replace function dibs.tidy_gates() returns void
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
begin
  delete from dibs.turn where made_at < clock_timestamp() - interval '10 minutes';
  -- Of a limit by key or an order key that nobody is at; whoever comes makes them anew.
  delete from dibs.slot where ctid = any (array(
    select s.ctid from dibs.slot s
    where (s.key <> '' or s.order_key <> '') and not exists (
      select from dibs.slot held
      where held.type = s.type and held.key = s.key and held.order_key = s.order_key
        and dibs.holds(held.fence, held.task))
    for update skip locked));
  delete from dibs.bucket where ctid = any (array(
    select b.ctid from dibs.bucket b where b.spent_until < v_now - interval '1 minute' for update skip locked));
end $$;
comment on function dibs.tidy_gates() is
  'Delete turns nobody reads, places nobody is at, and rates that nothing was spent of.';

select dibs.seal();
