-- Whose turn it is at the gates: lanes, keys in a lane, order keys of a key. Nothing is taken here.

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

create or replace function dibs.next_keys(
    p_type text, p_priority smallint, p_wanted int, p_look int default null, p_after text default null,
    out keys text[], out reached text)
  language plpgsql set search_path = '' as $$
declare
  v_last text := coalesce(p_after, (
    select t.key from dibs.turn t
    where t.type = p_type and t.priority = p_priority order by t.made_at desc limit 1));
  v_each dibs.gate;
  v_looks int := 0;
  v_next record;
  v_passed text[] := '{}';
begin
  keys := '{}';
  select * into v_each from dibs.gate g where g.type = p_type and g.scope = 'each key' and g.key = '';
  for v_next in
    with recursive line as (
      -- A place to begin after, not a key: none has such a character. Of each key its first order key.
      select (v_last || chr(1)) collate "C" as key, '' collate "C" as order_key, false as around
      union all
      select next.* from line,
        lateral (
          (select g.key, g.order_key, line.around from dibs.gated g
            where g.type = p_type and g.priority = p_priority and g.key > line.key
            order by g.key, g.order_key limit 1)
          union all
          (select g.key, g.order_key, true from dibs.gated g
            where g.type = p_type and g.priority = p_priority and not line.around
            order by g.key, g.order_key limit 1)
          limit 1
        ) next
      where (next.around and next.key > v_last) is not true
    )
    -- Is there room, written out but for rates: a call for each would cost more than the look.
    select l.key, own.paused_at is null
        and (own.most is null and v_each.most is null or l.key = '' or coalesce(own.most, v_each.most) > (
          select count(*) from dibs.slot s join dibs.lease h on h.fence = s.fence and h.held @> s.task
          where s.type = p_type and s.key = l.key and s.order_key = ''))
        and (own.rate is null and v_each.rate is null or l.key = '' or dibs.room(p_type, l.key) > 0)
        -- Where all wait for others of their order keys, they must not keep the turn of those that have some.
        and (l.order_key = '' or (
          select n.keys <> '{}' or n.reached is not null
          from dibs.next_order_keys(p_type, p_priority, l.key, 1, 1000) n)) as is_open
    from line l left join dibs.gate own on own.type = p_type and own.scope = 'key' and own.key = l.key offset 1
  loop
    if v_next.is_open then
      -- Claims that run at once see the same turn. Each begins with a key of its own, or all would take of the same.
      if keys <> '{}' or p_look is null or pg_try_advisory_xact_lock(
        hashtextextended(format('dibs.turn:%s:%L:%L', p_priority, p_type, v_next.key), 0)) then
        keys := keys || v_next.key;
      else
        v_passed := v_passed || v_next.key;
      end if;
    end if;
    exit when cardinality(keys) = p_wanted;
    v_looks := v_looks + 1;
    if v_looks = p_look then
      if keys || v_passed = '{}' then reached := v_next.key; end if;
      exit;
    end if;
  end loop;
  keys := (keys || v_passed)[1:p_wanted];
end $$;
comment on function dibs.next_keys(text, smallint, int, int, text) is
  'Up to so many keys of a lane that have tasks waiting, of which one could run, and an open gate, in turn. Empty: that
of tasks without.
p_look: for a claim, which looks at so many at most; null for who only counts. p_after: not from the turn on, but
after this key. reached: the last key that was looked at when none of them was open.';

create or replace function dibs.next_order_keys(
    p_type text, p_priority smallint, p_key text, p_wanted int, p_look int default null,
    out keys text[], out since timestamptz, out reached text)
  language plpgsql set search_path = '' as $$
declare
  v_last text := (
    select t.order_key from dibs.turn t
    where t.type = p_type and t.priority = p_priority and t.key = p_key order by t.made_at desc limit 1);
  v_looks int := 0;
  v_next record;
begin
  keys := '{}';
  for v_next in
    with recursive line as (
      select (v_last || chr(1)) collate "C" as order_key, false as around
      union all
      select next.* from line,
        lateral (
          (select g.order_key, line.around from dibs.gated g
            where g.type = p_type and g.priority = p_priority and g.key = p_key and g.order_key > line.order_key
            order by g.order_key limit 1)
          union all
          (select g.order_key, true from dibs.gated g
            where g.type = p_type and g.priority = p_priority and g.key = p_key and g.order_key > ''
              and not line.around
            order by g.order_key limit 1)
          limit 1
        ) next
      where (next.around and next.order_key > v_last) is not true
    )
    select l.order_key, (
      select g.run_at from (
          select o.task from dibs.in_order o
          where o.type = p_type and o.order_key = l.order_key order by o.task limit 1
        ) first,
        lateral (
          select g.run_at, g.priority, g.key from dibs.gated g
          where lower(g.run) = first.task and g.order_key <> '' limit 1
        ) g
      where g.priority = p_priority and g.key = p_key and (
        select h.fence from dibs.slot s join dibs.lease h on h.fence = s.fence and h.held @> s.task
        where s.type = p_type and s.key = '' and s.order_key = l.order_key) is null) as since
    from line l offset 1
  loop
    if v_next.since is not null then
      since := coalesce(since, v_next.since);
      keys := keys || v_next.order_key;
    end if;
    exit when cardinality(keys) = p_wanted;
    v_looks := v_looks + 1;
    if v_looks = p_look then
      if keys = '{}' then reached := v_next.order_key; end if;
      exit;
    end if;
  end loop;
end $$;
comment on function dibs.next_order_keys(text, smallint, text, int, int) is
  'Up to so many order keys of a key of a lane whose first task waits there while none of them runs, in turn, and since
when the first of these has waited. p_look, reached: as in dibs.next_keys.';

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

select dibs.seal();
