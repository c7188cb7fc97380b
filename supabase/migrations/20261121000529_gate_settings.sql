-- Setting gates, at any time: limits, rates and pauses of tasks, and what each of them keeps back.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.set_task_limit(
    p_type text, p_limit int, p_key text default null, p_each_key boolean default false) returns void
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_gate dibs.gate;
begin
  perform dibs.check_between('p_limit', p_limit, 1, 10000);
  v_gate := dibs.gate_to_set(p_type, p_key, p_each_key);
  insert into dibs.gate (type, scope, key, most) values (v_gate.type, v_gate.scope, v_gate.key, p_limit)
    on conflict (type, scope, key) do update set most = excluded.most;
  perform dibs.count_running(p_type), dibs.gate_all_due(p_type);
end $$;
comment on function public.set_task_limit(text, int, text, boolean) is
  'Never let more than p_limit tasks of a type run at once, 1 to 10000, from the moment this is committed.
p_key: of this key of the type only. p_each_key: of each key, unless it has a limit of its own. Neither: of the type
as a whole. A task has to pass the limit of its type and that of its key. What runs already counts; where that is more,
it goes on, and nothing new is claimed until it is less. A task that waits for its next attempt does not count.
Errors: PT400 for bad input, PT503 while a claim stays in an open transaction for 3 seconds.';

create or replace function public.remove_task_limit(
    p_type text, p_key text default null, p_each_key boolean default false) returns boolean
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_gate dibs.gate := dibs.gate_to_set(p_type, p_key, p_each_key);
begin
  update dibs.gate g set most = null
    where (g.type, g.scope, g.key) = (v_gate.type, v_gate.scope, v_gate.key) and g.most is not null;
  if not found then return false; end if;
  perform dibs.drop_open_gates(p_type), dibs.wake(null);
  return true;
end $$;
comment on function public.remove_task_limit(text, text, boolean) is
  'Take away a limit that set_task_limit set with the same arguments. Returns whether there was one.
Errors: as set_task_limit.';

create or replace function public.set_task_rate(
    p_type text, p_count int, p_period interval, p_burst int default null, p_key text default null,
    p_each_key boolean default false) returns void
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_gate dibs.gate;
begin
  perform dibs.check_rate(p_count, p_period, p_burst);
  v_gate := dibs.gate_to_set(p_type, p_key, p_each_key);
  insert into dibs.gate (type, scope, key, rate, period, burst)
    values (v_gate.type, v_gate.scope, v_gate.key, p_count, p_period, coalesce(p_burst, p_count))
    on conflict (type, scope, key) do update
    set rate = excluded.rate, period = excluded.period, burst = excluded.burst;
  -- A new rate begins with a full bucket.
  delete from dibs.bucket b where b.type = p_type
    and (v_gate.scope = 'each key' and b.key <> '' or b.key = v_gate.key and v_gate.scope <> 'each key');
  perform dibs.gate_all_due(p_type);
end $$;
comment on function public.set_task_rate(text, int, interval, int, text, boolean) is
  'Let only p_count tasks of a type be claimed in each p_period, and after a rest up to p_burst at once (null: p_count),
from the moment this is committed. Every attempt counts, also one that is handed back.
p_key, p_each_key: as in set_task_limit. Errors: as set_task_limit.';

create or replace function public.remove_task_rate(
    p_type text, p_key text default null, p_each_key boolean default false) returns boolean
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_gate dibs.gate := dibs.gate_to_set(p_type, p_key, p_each_key);
begin
  update dibs.gate g set rate = null, period = null, burst = null
    where (g.type, g.scope, g.key) = (v_gate.type, v_gate.scope, v_gate.key) and g.rate is not null;
  if not found then return false; end if;
  perform dibs.drop_open_gates(p_type), dibs.wake(null);
  return true;
end $$;
comment on function public.remove_task_rate(text, text, boolean) is
  'Take away a rate that set_task_rate set with the same arguments. Returns whether there was one.
Errors: as set_task_limit.';

create or replace function public.pause_tasks(p_type text default null, p_key text default null) returns bigint
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_gate dibs.gate := dibs.gate_to_set(p_type, p_key, false, p_type is null and p_key is null);
begin
  insert into dibs.gate (type, scope, key, paused_at) values (v_gate.type, v_gate.scope, v_gate.key, dibs.clock())
    on conflict (type, scope, key) do update set paused_at = coalesce(gate.paused_at, excluded.paused_at);
  perform dibs.gate_all_due(p_type);
  return dibs.running(p_type, p_key);
end $$;
comment on function public.pause_tasks(text, text) is
  'Claim no more tasks of a type, of a key of it, or (both null) none at all, from the moment this is committed. What
runs goes on, and is settled as usual; enqueueing goes on too.
Returns how many are still held by workers; call it again to see them become 0. Errors: as set_task_limit.';

create or replace function public.resume_tasks(p_type text default null, p_key text default null) returns boolean
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_gate dibs.gate := dibs.gate_to_set(p_type, p_key, false, p_type is null and p_key is null);
begin
  update dibs.gate g set paused_at = null
    where (g.type, g.scope, g.key) = (v_gate.type, v_gate.scope, v_gate.key) and g.paused_at is not null;
  if not found then return false; end if;
  perform dibs.drop_open_gates(v_gate.type), dibs.wake(null);
  return true;
end $$;
comment on function public.resume_tasks(text, text) is
  'End what pause_tasks began with the same arguments. Returns whether it was paused. Errors: as set_task_limit.';

create or replace function public.task_gates()
  returns table (
    type text, scope text, key text, max_running int, rate int, period interval, burst int, paused_at timestamptz,
    running bigint, retry_after_seconds int)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select nullif(g.type, ''), g.scope, nullif(g.key, ''), g.most, g.rate, g.period, g.burst, g.paused_at,
      case when g.scope <> 'each key' then dibs.running(nullif(g.type, ''), nullif(g.key, '')) end,
      case when g.scope in ('type', 'key') and g.rate is not null then
        coalesce(ceil(extract(epoch from dibs.opens_at(g.type, g.key) - dibs.clock())), 0)::int end
    from dibs.gate g order by g.type, g.scope, g.key;
end $$;
comment on function public.task_gates() is
  'What is set for tasks: limits, rates and pauses, by type and scope (everything, type, each key, key). running: how
many such tasks workers hold now. retry_after_seconds: when the rate lets the next one through, 0 for now.';

-- Changing -----------------------------------------------------------------------------------------

create or replace function dibs.check_rate(p_count int, p_period interval, p_burst int) returns void
  language plpgsql set search_path = '' as $$
begin
  perform dibs.check_between('p_count', p_count, 1, 1000000),
    dibs.check_between('p_burst', coalesce(p_burst, p_count), 1, 1000000);
  if p_period is null or p_period not between interval '1 ms' and interval '31 days' then
    perform dibs.refuse('PT400', 'p_period must be an interval of 1 millisecond to 31 days, such as 1 minute');
  end if;
end $$;
comment on function dibs.check_rate(int, interval, int) is 'Refuse (PT400) what cannot be a rate.';

create or replace function dibs.gate_to_set(p_type text, p_key text, p_each_key boolean, p_all boolean default false)
  returns dibs.gate
  language plpgsql set search_path = '' as $$
declare
  v_gate dibs.gate;
begin
  if p_all then
    v_gate.scope := 'everything';
  else
    perform dibs.check_label('p_type', p_type, 100);
    v_gate.scope := coalesce(dibs.key_scope(p_key, p_each_key), 'type');
  end if;
  v_gate.type := coalesce(p_type, '');
  v_gate.key := coalesce(p_key, '');
  perform dibs.stop_claims('dibs.lease');
  return v_gate;
end $$;
comment on function dibs.gate_to_set(text, text, boolean, boolean) is
  'Which gate is meant, checked (PT400), and that nobody claims until the end of the transaction.';

create or replace function dibs.key_scope(p_key text, p_each_key boolean) returns text
  language plpgsql immutable set search_path = '' as $$
begin
  if p_key is not null then perform dibs.check_label('p_key', p_key, 200); end if;
  if p_each_key is null or p_each_key and p_key is not null then
    perform dibs.refuse('PT400', 'p_each_key must be false where p_key names one', 'Set one after the other.');
  end if;
  return case when p_each_key then 'each key' when p_key is not null then 'key' end;
end $$;
comment on function dibs.key_scope(text, boolean) is
  'Whether a gate is of each key or of one (each key, key), null for neither; checked (PT400).';

create or replace function dibs.stop_claims(p_table regclass) returns void
  language plpgsql set search_path = '' as $$
begin
  execute format('lock table %s in share row exclusive mode', p_table);
  perform setval('dibs.gates_changed', pg_current_xact_id()::text::bigint);
exception when lock_not_available then
  perform dibs.refuse('PT503', 'a claim or a settlement stays in an open transaction', 'Try again when it has ended.');
end $$;
comment on function dibs.stop_claims(regclass) is
  'Let nobody claim until the end of the transaction: claims that are under way end first, and others see what it sets.
p_table: what they write into. PT503 where one does not end within the lock timeout.';

create or replace function dibs.drop_open_gates(p_type text) returns void
  language plpgsql set search_path = '' as $$
begin
  delete from dibs.gate g where g.type = p_type and g.most is null and g.rate is null and g.paused_at is null;
  -- What counts for no limit any more.
  delete from dibs.slot s where s.type = p_type and s.order_key = ''
    and (select g.most from dibs.gate_of(s.type, s.key) g) is null;
end $$;
comment on function dibs.drop_open_gates(text) is 'Forget gates of a type that keep nothing back any more.';

create or replace function dibs.count_running(p_type text) returns void
  language plpgsql set search_path = '' as $$
begin
  delete from dibs.slot s where s.type = p_type and not dibs.holds(s.fence, s.task);
  insert into dibs.slot (type, key, order_key, n, task, fence)
  select p_type, r.key, '', coalesce((
      select max(n) from dibs.slot s where s.type = p_type and s.key = r.key and s.order_key = ''), 0)
    + row_number() over (partition by r.key order by r.fence, r.task), r.task, r.fence
  from (
    select place.key, t.task, t.fence
    from dibs.running_tasks(p_type) t, lateral (values (''), (nullif(t.key, ''))) place(key)
    where place.key is not null and (select g.most from dibs.gate_of(p_type, place.key) g) is not null
      and not exists (
        select from dibs.slot s where s.type = p_type and s.key = place.key and s.order_key = '' and s.task = t.task)
  ) r;
  -- All at once, so that claims do not make them one at a time.
  insert into dibs.slot (type, key, order_key, n, task, fence)
    select g.type, g.key, '', n, 0, 0 from dibs.gate g, generate_series(1, g.most) n
    where g.type = p_type and g.scope <> 'each key' on conflict do nothing;
end $$;
comment on function dibs.count_running(text) is
  'Make the places of the limits of a type, and give some to the tasks that are running already.';

create or replace function dibs.running_tasks(p_type text) returns table (task bigint, fence bigint, key text)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select n.task, h.fence, coalesce(k.key, '')
    from dibs.lease h, lateral (select * from dibs.log_of(h.held) l where l.type = p_type) l
    cross join lateral (select dibs.task_of(l.id) as task offset 0) n
    left join lateral (select k.key from dibs.task_key k where k.task = n.task offset 0) k on true;
end $$;
comment on function dibs.running_tasks(text) is
  'The tasks of a type that leases hold, each with its key, empty for none.';

create or replace function dibs.running(p_type text, p_key text) returns bigint
  language plpgsql stable set search_path = '' as $$
begin
  if p_type is null then return (select coalesce(sum(dibs.count_of(held)), 0) from dibs.lease); end if;
  return (select count(*) from dibs.running_tasks(p_type) t where p_key is null or t.key = p_key);
end $$;
comment on function dibs.running(text, text) is
  'How many tasks of a type (null: of all), of a key of it or of all, leases hold.';

create or replace function dibs.gate_all_due(p_type text default null) returns void
  language plpgsql set search_path = '' as $$
declare
  v_lane record;
begin
  for v_lane in
    select l.type, l.priority from dibs.lane l
    where l.type = any (array(select g.type from dibs.gate g where p_type is null or g.type = p_type))
    order by l.type, l.priority
  loop
    while dibs.gate_due(v_lane.type, v_lane.priority) > 0 loop end loop;
  end loop;
end $$;
comment on function dibs.gate_all_due(text) is
  'Move what is due in ready and of a type (null: of any) that has a gate to where it waits for it.';

select dibs.seal();
