-- How tasks come to wait at a gate, and what those of them that wait there, or have a key, need where tasks are moved.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.note_keys(p_task bigint, p_type text, p_extras jsonb) returns void
  language plpgsql set search_path = '' as $$
begin
  insert into dibs.task_key
    values (p_task, p_type, coalesce(p_extras ->> 'key', ''), coalesce(p_extras ->> 'order_key', ''));
  if p_extras ? 'order_key' then insert into dibs.in_order values (p_type, p_extras ->> 'order_key', p_task); end if;
end $$;
comment on function dibs.note_keys(bigint, text, jsonb) is
  'Keep the key and the order key of a new task, which from now on has its place in its order.';

create or replace function dibs.put_keyed(
    p_task bigint, p_type text, p_priority int, p_run_at timestamptz, p_extras jsonb, p_plain boolean) returns void
  language plpgsql set search_path = '' as $$
begin
  -- In gated all is due; what is to wait for its time waits in ready.
  if p_run_at <= dibs.clock() then
    insert into dibs.gated (type, priority, key, order_key, run_at, run, plain)
      values (p_type, p_priority, coalesce(p_extras ->> 'key', ''), coalesce(p_extras ->> 'order_key', ''), p_run_at,
        int8multirange(int8range(p_task, p_task + 1)), p_plain);
  else
    insert into dibs.ready (type, priority, run_at, run)
      values (p_type, p_priority, p_run_at, int8multirange(int8range(p_task, p_task + 1)));
  end if;
end $$;
comment on function dibs.put_keyed(bigint, text, int, timestamptz, jsonb, boolean) is
  'Let a new task that has a key or an order key wait. p_plain: that is all it has.';

-- What a claim took from ready ---------------------------------------------------------------------

create or replace function dibs.hold_back(p_lease dibs.lease, p_passed int8multirange) returns dibs.lease
  language plpgsql set search_path = '' as $$
declare
  v_back int8multirange;
  v_lane record;
begin
  perform dibs.see_gates();
  if dibs.all_paused() then
    v_back := p_lease.held - p_passed;
    perform dibs.make_ready(v_back);
  else
    v_back := dibs.move_to_gates(p_lease.held - p_passed);
    -- There is more of it where that came from.
    for v_lane in select distinct type, priority from dibs.log_of(v_back) order by type, priority loop
      perform dibs.gate_due(v_lane.type, v_lane.priority);
    end loop;
  end if;
  if isempty(v_back) then return p_lease; end if;
  p_lease.held := p_lease.held - v_back;
  if isempty(p_lease.held) then
    delete from dibs.lease where fence = p_lease.fence;
  else
    update dibs.lease set held = p_lease.held where fence = p_lease.fence;
  end if;
  return p_lease;
end $$;
comment on function dibs.hold_back(dibs.lease, int8multirange) is
  'Take out of a new lease what came into it from ready, rather than through its gate (p_passed), and let it wait there.
Returns the lease; it is gone where it would hold nothing.';

create or replace function dibs.move_to_gates(p_tasks int8multirange) returns int8multirange
  language plpgsql set search_path = '' as $$
declare
  v_moved int8multirange;
begin
  with judged as materialized (
    -- What was tried again before its time is due as well.
    select l.type, l.priority, least(l.run_at, dibs.clock()) as run_at, k.key, k.order_key,
      int8range(n.task, n.task + 1) as task
    from dibs.log_of(p_tasks) l
    cross join lateral (
      select ('x' || encode(substr(uuid_send(l.id), 1, 6), 'hex'))::bit(48)::bigint as task offset 0) n
    left join lateral (select * from dibs.task_key k where k.task = n.task offset 0) k on true
    where k.task is not null or exists (select from dibs.gate g where g.type = l.type and g.scope = 'type')
  ), keyed as (
    insert into dibs.gated (type, priority, key, order_key, run_at, run)
    select type, priority, key, order_key, run_at, int8multirange(task) from judged where key is not null
  ), others as (
    insert into dibs.gated (type, priority, run_at, run)
    select type, priority, min(run_at), dibs.runs_of(range_agg(task)) from judged where key is null
    group by type, priority
  )
  select coalesce(range_agg(task), '{}') into v_moved from judged;
  return v_moved;
end $$;
comment on function dibs.move_to_gates(int8multirange) is
  'Let those of these tasks wait in gated that have a key or whose type has a gate. The caller has taken them from where
they were. Returns them.';

create or replace function dibs.gate_due(p_type text, p_priority smallint) returns int
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_gated boolean := exists (select from dibs.gate g where g.type = p_type and g.scope = 'type');
  v_moved int;
  v_tried int8multirange;
begin
  with due as materialized (
    select r.ctid as at
    from (
      select r.ctid, r.run, r.plain from dibs.ready r
      where r.type = p_type and r.priority = p_priority and r.run_at <= v_now
      order by r.run_at, lower(r.run) limit 1000
    ) r
    where v_gated or not r.plain and exists (
      select from dibs.task_key k where k.task >= lower(r.run) and k.task < upper(r.run) and k.task <@ r.run)
  ), locked as materialized (
    select r.ctid as at from dibs.ready r where r.ctid = any (array(select at from due)) for update skip locked
  ), gone as (
    delete from dibs.ready where ctid = any (array(select at from locked)) returning *
  ), moved as (
    -- As they are. Of the others each task may have another key.
    insert into dibs.gated (type, priority, run_at, run, plain)
    select type, priority, run_at, run, plain from gone where plain
  )
  select count(*), range_agg(run) filter (where not plain) into v_moved, v_tried from gone;
  if v_tried is not null then
    v_tried := v_tried - dibs.move_to_gates(v_tried);
    perform dibs.make_ready(v_tried);
  end if;
  return v_moved;
end $$;
comment on function dibs.gate_due(text, smallint) is
  'Move up to 1000 due runs of a lane that have to pass a gate from ready to gated. Leaves what others are at.
Returns how many.';

-- Where tasks are moved ----------------------------------------------------------------------------

create or replace function dibs.withdraw_gated(p_tasks int8multirange) returns int8multirange
  language plpgsql set search_path = '' as $$
declare
  v_found int8multirange;
begin
  with found as materialized (
    select g.ctid as at, g.* from dibs.gated g
    where lower(g.run) >> 7 = any (array(select distinct lower(run) >> 7 from dibs.runs_of(p_tasks) run))
      and g.run && p_tasks
    order by lower(g.run) for update
  ), deleted as (
    delete from dibs.gated where ctid = any (array(select at from found))
  ), put_back as (
    insert into dibs.gated (type, priority, key, order_key, run_at, run, plain)
    select f.type, f.priority, f.key, f.order_key, f.run_at, f.run - p_tasks, f.plain
    from found f where not f.run <@ p_tasks
  )
  select coalesce(range_agg(run), '{}') * p_tasks into v_found from found;
  return v_found;
end $$;
comment on function dibs.withdraw_gated(int8multirange) is
  'What dibs.withdraw does with tasks that wait at gates. Returns those found.';

create or replace function dibs.leave_order(p_tasks int8multirange) returns void
  language plpgsql set search_path = '' as $$
begin
  delete from dibs.in_order o
  using (
    select k.type, k.order_key, k.task from (
        select min(lower(r)) as first, max(upper(r)) as past from unnest(p_tasks) r group by lower(r) >> 7
      ) page,
      lateral (
        select * from dibs.task_key k where k.task >= page.first and k.task < page.past and k.task <@ p_tasks offset 0
      ) k
    where k.order_key <> ''
  ) k
  where o.type = any (array[k.type]) and o.order_key = any (array[k.order_key]) and o.task = any (array[k.task]);
end $$;
comment on function dibs.leave_order(int8multirange) is 'Let the next of their order keys run: these tasks have ended.';

create or replace function dibs.change_type(p_tasks int8multirange, p_type text) returns void
  language plpgsql set search_path = '' as $$
begin
  perform dibs.leave_order(p_tasks);
  update dibs.task_key set type = p_type where task = any (array(
    select k.task from unnest(p_tasks) r,
      lateral (select k.task from dibs.task_key k where k.task >= lower(r) and k.task < upper(r) offset 0) k));
  perform dibs.join_order(p_tasks);
end $$;
comment on function dibs.change_type(int8multirange, text) is
  'Let keys and order keys of tasks be those of another type from now on.';

create or replace function dibs.join_order(p_tasks int8multirange) returns void
  language plpgsql set search_path = '' as $$
begin
  insert into dibs.in_order (type, order_key, task)
    select k.type, k.order_key, k.task from unnest(p_tasks) r,
      lateral (select * from dibs.task_key k where k.task >= lower(r) and k.task < upper(r) offset 0) k
    where k.order_key <> '' on conflict do nothing;
end $$;
comment on function dibs.join_order(int8multirange) is
  'Have tasks that run again in their place among those of their order keys.';

select dibs.seal();
