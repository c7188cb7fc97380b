-- What a gate lets through: the places of its limit and the tokens of its rate. Whoever takes some has locked them, and
-- what somebody else has locked is left out.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.room(p_type text, p_key text) returns int
  language plpgsql stable set search_path = '' as $$
declare
  v_gate record := dibs.gate_of(p_type, p_key);
begin
  return case when v_gate.paused then 0 else greatest(0, least(
    v_gate.most - (
      select count(*) from dibs.slot s
      where v_gate.most is not null and s.type = p_type and s.key = p_key and s.order_key = ''
        and exists (select from dibs.lease l where l.fence = s.fence and l.held @> s.task)),
    case when v_gate.rate is not null then
      dibs.tokens_left(v_gate, (select b.spent_until from dibs.bucket b where b.type = p_type and b.key = p_key)) end,
    1000000)) end;
end $$;
comment on function dibs.room(text, text) is
  'How many tasks the gate of a type (key empty) or of a key would let through, as far as can be seen without taking
any; a million where it has no bound.';

-- Places of a limit --------------------------------------------------------------------------------

create or replace function dibs.free_slots(
    p_type text, p_key text, p_order_key text, p_most int, p_wanted int, p_taken tid[]) returns tid[]
  language plpgsql set search_path = '' as $$
declare
  v_places int;
  v_over int;
  v_held int;
begin
  select count(*) filter (where n <= p_most), count(*) filter (where n > p_most and dibs.holds(fence, task))
    into v_places, v_over
    from dibs.slot s where s.type = p_type and s.key = p_key and s.order_key = p_order_key;
  if v_places < p_most or v_over > 0 then
    -- One at a time.
    if not pg_try_advisory_xact_lock(hashtextextended(
      format('dibs.slot:%L:%L:%L', p_type, p_key, p_order_key), 0)) then return '{}'; end if;
    insert into dibs.slot (type, key, order_key, n, task, fence)
      select p_type, p_key, p_order_key, n, 0, 0 from generate_series(1, p_most) n
      on conflict do nothing;
  end if;
  if v_over > 0 then
    -- The limit was lowered, and not all that ran before have ended. Touched, so that of two transactions that do not
    -- see each other one fails to serialize.
    update dibs.slot s set task = s.task
      where s.type = p_type and s.key = p_key and s.order_key = p_order_key and s.n > p_most;
    select count(*) filter (where s.ctid = any (p_taken) or dibs.holds(fence, task)) into v_held
      from dibs.slot s where s.type = p_type and s.key = p_key and s.order_key = p_order_key;
    p_wanted := least(p_wanted, p_most - v_held);
  end if;
  return array(
    select s.ctid from dibs.slot s
    where s.type = p_type and s.key = p_key and s.order_key = p_order_key and s.n <= p_most
      and s.ctid <> all (p_taken) and not dibs.holds(s.fence, s.task)
    order by s.n limit greatest(p_wanted, 0) for update skip locked);
end $$;
comment on function dibs.free_slots(text, text, text, int, int, tid[]) is
  'Up to so many places of a limit that are free, locked for whoever occupies them. p_taken: not these.';

create or replace function dibs.occupy(p_slots tid[], p_tasks bigint[], p_fence bigint) returns void
  language plpgsql set search_path = '' as $$
begin
  if p_slots = '{}' then return; end if;
  update dibs.slot s set task = u.task, fence = p_fence
    from unnest(p_slots, p_tasks) u (slot, task)
    where s.ctid = u.slot and dibs.holds(p_fence, u.task);
end $$;
comment on function dibs.occupy(tid[], bigint[], bigint) is
  'Have tasks that are leased now occupy the places that were free for them.';

-- Rates --------------------------------------------------------------------------------------------

create or replace function dibs.tokens(p_type text, p_key text, p_gate record) returns int
  language plpgsql set search_path = '' as $$
declare
  v_spent_until timestamptz;
begin
  select b.spent_until into v_spent_until from dibs.bucket b
    where b.type = p_type and b.key = p_key for update skip locked;
  if not found then
    if exists (select from dibs.bucket b where b.type = p_type and b.key = p_key)
      or not pg_try_advisory_xact_lock(hashtextextended(format('dibs.bucket:%L:%L', p_type, p_key), 0)) then
      return 0;
    end if;
    insert into dibs.bucket values (p_type, p_key, 'epoch') on conflict do nothing;
    -- Another claim made it meanwhile.
    if not found then return 0; end if;
  end if;
  return dibs.tokens_left(p_gate, v_spent_until);
end $$;
comment on function dibs.tokens(text, text, record) is
  'How many tasks a rate lets through now, locked for whoever spends them; none while another claim is at it.';

create or replace function dibs.tokens_left(p_gate record, p_spent_until timestamptz) returns int
  language plpgsql volatile set search_path = '' as $$
begin
  -- Null where there is no rate. A little more, lest a task wait for what rounding took.
  return p_gate.burst - ceil(
    greatest(date_part('epoch', coalesce(p_spent_until, 'epoch') - dibs.clock()), 0)
      / (date_part('epoch', p_gate.period) / p_gate.rate) - 1e-6);
end $$;
comment on function dibs.tokens_left(record, timestamptz) is
  'How many tasks a rate lets through now, when so much was spent; null where there is none.';

create or replace function dibs.next_token_at(p_gate record, p_spent_until timestamptz) returns timestamptz
  language plpgsql volatile set search_path = '' as $$
declare
  v_at timestamptz := p_spent_until - (p_gate.burst - 1) * p_gate.period / p_gate.rate;
begin
  return case when v_at > dibs.clock() then v_at end;
end $$;
comment on function dibs.next_token_at(record, timestamptz) is
  'When a rate of which so much was spent lets the next task through; null for now, or where there is none.';

create or replace function dibs.spend(p_type text, p_key text, p_gate record, p_count int) returns void
  language plpgsql set search_path = '' as $$
begin
  update dibs.bucket b
    set spent_until = greatest(b.spent_until, dibs.clock()) + p_count * p_gate.period / p_gate.rate
    where b.type = p_type and b.key = p_key;
end $$;
comment on function dibs.spend(text, text, record, int) is 'Note that so many tasks were claimed under a rate.';

select dibs.seal();
