-- Recurring schedules: rows that enqueue a task whenever their cron expression is due. The tick runs them.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create table if not exists dibs.recurring_schedule (
  name text primary key,
  cron text not null,
  time_zone text not null,
  type text not null,
  payload jsonb not null,
  options jsonb not null,
  missed text not null constraint policy_is_known check (missed in ('skip', 'once', 'all')),
  paused boolean not null default false,
  next_tick timestamptz not null,
  last_tick timestamptz,
  last_task uuid,
  problem text
);
comment on table dibs.recurring_schedule is
  'Tasks that recur: when, and what is enqueued. next_tick: the oldest moment it is due for and has not run.
problem: why it could not be enqueued when that was last tried.';
do $$
begin
  if to_regclass('dibs.recurring_schedule_next_tick') is null then
    create index recurring_schedule_next_tick on dibs.recurring_schedule (next_tick) where not paused;
  end if;
end $$;

create or replace function public.put_schedule(
    p_name text, p_cron text, p_type text, p_payload jsonb default '{}', p_time_zone text default 'UTC',
    p_missed text default 'once', p_options jsonb default '{}') returns timestamptz
  language plpgsql set search_path = '' as $$
declare
  v_next timestamptz;
begin
  perform dibs.check_label('p_name', p_name, 100), dibs.check_label('p_type', p_type, 100),
    dibs.check_schedule_options(p_type, coalesce(p_options, '{}'));
  if jsonb_typeof(coalesce(p_payload, '{}')) <> 'object' then
    perform dibs.refuse('PT400', 'p_payload of a schedule must be an object', 'The moment it is due is put into it.');
  elsif (p_missed in ('skip', 'once', 'all')) is not true then
    perform dibs.refuse('PT400', 'p_missed must be skip, once or all');
  elsif not dibs.is_time_zone(p_time_zone) then
    perform dibs.refuse('PT400', 'p_time_zone is no time zone', 'Give UTC, or one such as Europe/Berlin.');
  end if;
  v_next := dibs.next_cron(p_cron, p_time_zone, dibs.clock());
  if v_next is null then
    perform dibs.refuse('PT400', 'p_cron is never due', 'Is there such a day in such a month?');
  end if;
  insert into dibs.recurring_schedule as s (name, cron, time_zone, type, payload, options, missed, next_tick)
    values (p_name, p_cron, p_time_zone, p_type, coalesce(p_payload, '{}'), coalesce(p_options, '{}'), p_missed, v_next)
    on conflict (name) do update
      set cron = excluded.cron, time_zone = excluded.time_zone, type = excluded.type, payload = excluded.payload,
        options = excluded.options, missed = excluded.missed, problem = null,
        -- Said again as it was, nothing it is due for is passed over.
        next_tick = case when (s.cron, s.time_zone) = (excluded.cron, excluded.time_zone) then s.next_tick
          else excluded.next_tick end
    returning next_tick into v_next;
  return v_next;
end $$;
comment on function public.put_schedule(text, text, text, jsonb, text, text, jsonb) is
  'Make a recurring schedule, or change the one of this name.
p_cron: minute, hour, day of the month, month, day of the week, or @hourly, @daily, @weekly, @monthly, @yearly.
p_time_zone: in which that is meant, such as Europe/Berlin.
p_type, p_payload: the task it enqueues each time; the payload gets a key schedule: {name, tick}, tick being the moment
it was due.
p_missed: what becomes of the times it was due while nothing ticked: a task for none of them (skip), one for all, which
says the last (once), or one for each (all).
p_options: what else the tasks have, as in enqueue_tasks: {priority?, max_attempts?, unique_key?, ...}. By default
their unique key is schedule:name:tick; with one of yours, none is made while the one before has not ended.
Returns when it is due next. Errors: PT400 for bad input.';

create or replace function public.delete_schedule(p_name text) returns boolean
  language plpgsql set search_path = '' as $$
begin
  delete from dibs.recurring_schedule where name = p_name;
  return found;
end $$;
comment on function public.delete_schedule(text) is
  'Delete a recurring schedule; tasks it has enqueued stay. Returns whether there was one of this name.';

create or replace function public.pause_schedule(p_name text) returns boolean
  language plpgsql set search_path = '' as $$
begin
  update dibs.recurring_schedule set paused = true where name = p_name;
  return found;
end $$;
comment on function public.pause_schedule(text) is
  'Let a recurring schedule enqueue nothing until it is resumed. Returns whether there is one of this name.';

create or replace function public.resume_schedule(p_name text) returns timestamptz
  language plpgsql set search_path = '' as $$
declare
  v_next timestamptz;
begin
  update dibs.recurring_schedule
    set paused = false,
      next_tick = case when paused then dibs.next_cron(cron, time_zone, dibs.clock()) else next_tick end
    where name = p_name returning next_tick into v_next;
  return v_next;
end $$;
comment on function public.resume_schedule(text) is
  'End the pause of a recurring schedule. What it was due for meanwhile is not missed but left out, whatever its policy.
Returns when it is due next, null when there is none of this name.';

create or replace function public.run_schedule_now(p_name text) returns uuid
  language plpgsql set search_path = '' as $$
declare
  v_schedule dibs.recurring_schedule;
  v_task uuid;
begin
  select * into v_schedule from dibs.recurring_schedule where name = p_name;
  if not found then return null; end if;
  v_task := dibs.enqueue_scheduled(v_schedule, dibs.clock());
  perform dibs.wake(null, array[v_schedule.type]);
  return v_task;
end $$;
comment on function public.run_schedule_now(text) is
  'Enqueue the task of a recurring schedule once more, now, paused or not; when it is due is not changed by that.
Returns the id of the task, null when there is no schedule of this name.';

create or replace function public.schedules()
  returns table (
    name text, cron text, time_zone text, type text, payload jsonb, options jsonb, missed text, paused boolean,
    next_ticks timestamptz[], last_tick timestamptz, last_task uuid, problem text)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select s.name, s.cron, s.time_zone, s.type, s.payload, s.options, s.missed, s.paused,
      array(
        with recursive tick as (
          select s.next_tick as at, 1 as n where not s.paused
          union all
          select dibs.next_cron(s.cron, s.time_zone, t.at), t.n + 1 from tick t where t.n < 3
        )
        select t.at from tick t where t.at is not null order by t.n),
      s.last_tick, s.last_task, s.problem
    from dibs.recurring_schedule s order by s.name;
end $$;
comment on function public.schedules() is
  'All recurring schedules, by name: what they say, the next three moments they are due (none while paused), the last
one they ran for with its task, and why the last try failed, if it did.';

-- Running ------------------------------------------------------------------------------------------

create or replace function dibs.run_schedules() returns int
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_now timestamptz := dibs.clock();
  v_schedule dibs.recurring_schedule;
  v_tasks int := 0;
begin
  -- Who else ticks this moment passes by; who comes later finds that the next tick is not due yet.
  for v_schedule in
    select * from dibs.recurring_schedule s where s.next_tick <= v_now and not s.paused
    order by s.next_tick limit 1000 for update skip locked
  loop
    begin
      v_tasks := v_tasks + dibs.run_schedule(v_schedule, v_now);
    exception when others then
      -- The others are to run all the same, and this one when it is mended.
      update dibs.recurring_schedule set problem = sqlerrm where name = v_schedule.name;
    end;
  end loop;
  return v_tasks;
end $$;
comment on function dibs.run_schedules() is
  'Enqueue what recurring schedules are due for, each tick once, whoever ticks and however many at once. Returns for
how many ticks.';

create or replace function dibs.run_schedule(p_schedule dibs.recurring_schedule, p_now timestamptz) returns int
  language plpgsql set search_path = '' as $$
declare
  v_tick timestamptz := p_schedule.next_tick;
  v_last timestamptz;
  v_task uuid;
  v_tasks int := 0;
begin
  if p_schedule.missed = 'once' then
    v_tick := dibs.newest_cron(p_schedule.cron, p_schedule.time_zone, v_tick, p_now);
  elsif p_schedule.missed = 'skip' and v_tick <= p_now - interval '1 minute' then
    v_tick := dibs.next_cron(p_schedule.cron, p_schedule.time_zone, p_now - interval '1 minute');
  end if;
  -- The rest of what is due is for the next tick.
  while v_tick <= p_now and v_tasks < 100 loop
    v_task := dibs.enqueue_scheduled(p_schedule, v_tick);
    v_tasks := v_tasks + 1;
    v_last := v_tick;
    v_tick := dibs.next_cron(p_schedule.cron, p_schedule.time_zone, v_tick);
  end loop;
  update dibs.recurring_schedule
    set next_tick = coalesce(v_tick, 'infinity'), last_tick = coalesce(v_last, last_tick),
      last_task = coalesce(v_task, last_task), problem = null
    where name = p_schedule.name;
  return v_tasks;
end $$;
comment on function dibs.run_schedule(dibs.recurring_schedule, timestamptz) is
  'Enqueue what a schedule that is due and locked is due for, as its policy says: what is late by less than a minute is
not missed. Returns how many tasks that made.';

create or replace function dibs.enqueue_scheduled(p_schedule dibs.recurring_schedule, p_tick timestamptz) returns uuid
  language plpgsql set search_path = '' as $$
declare
  v_tick text := to_char(p_tick at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
  v_options jsonb := p_schedule.options;
begin
  return (dibs.put_task(p_schedule.type,
    p_schedule.payload || jsonb_build_object('schedule', jsonb_build_object('name', p_schedule.name, 'tick', v_tick)),
    coalesce((v_options ->> 'priority')::int, 0), null, coalesce((v_options ->> 'max_attempts')::int, 5),
    coalesce(v_options ->> 'unique_key', 'schedule:' || p_schedule.name || ':' || v_tick),
    nullif(jsonb_strip_nulls(v_options - array['priority', 'max_attempts', 'unique_key']), '{}'))).id;
end $$;
comment on function dibs.enqueue_scheduled(dibs.recurring_schedule, timestamptz) is
  'Enqueue the task of a schedule for one moment it is due. Returns its id.';

-- Checks -------------------------------------------------------------------------------------------

create or replace function dibs.check_schedule_options(p_type text, p_options jsonb) returns void
  language plpgsql stable set search_path = '' as $$
declare
  v_hint text;
begin
  if jsonb_typeof(p_options) <> 'object' then perform dibs.refuse('PT400', 'p_options must be an object'); end if;
  if p_options ?| array['type', 'payload', 'run_at', 'depends_on'] then
    perform dibs.refuse('PT400', 'p_options of a schedule cannot have type, payload, run_at or depends_on',
      'Type and payload are arguments; it is the schedule that says when.');
  end if;
  perform dibs.options_of(0, p_options || jsonb_build_object('type', p_type));
exception when sqlstate 'PT400' then
  get stacked diagnostics v_hint = pg_exception_hint;
  perform dibs.refuse('PT400', replace(sqlerrm, 'p_tasks[0]', 'p_options'), v_hint);
end $$;
comment on function dibs.check_schedule_options(text, jsonb) is
  'Refuse (PT400) options that the tasks of a schedule cannot have.';

create or replace function dibs.is_time_zone(p_name text) returns boolean
  language plpgsql stable set search_path = '' as $$
begin
  -- Names, which know when clocks change, and not abbreviations or offsets.
  return (p_name = 'UTC' or p_name ~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2}$')
    and clock_timestamp() at time zone p_name is not null;
exception when invalid_parameter_value then
  return false;
end $$;
comment on function dibs.is_time_zone(text) is 'Whether this names a time zone: UTC, or Area/City.';

select dibs.seal();
