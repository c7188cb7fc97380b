-- Unique keys: who has one, and what a task does that finds its key taken.
--
-- A key is one row of dibs.unique_key, and the task it names has it. Rows of keys go with the end of their task;
-- whoever takes one over updates it, if it still names the task that was looked at. So of two who want a key one gets
-- it, and the other sees that.
--
-- Nobody waits in a circle. What ends tasks passes by a key that somebody takes over this moment (dibs.free_keys).
-- Enqueues that change other tasks wait for their turn before all else, as people who move tasks by hand do
-- (dibs.one_at_a_time): one task goes on beside others, a list goes alone. Keys are taken in their order.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

do $$
begin
  if not exists (
    select from pg_catalog.pg_attribute where attrelid = 'dibs.unique_key'::regclass and attname = 'held_until')
  then
    alter table dibs.unique_key add column held_until timestamptz;
    comment on column dibs.unique_key.held_until is
      'Until when the key stays with its task, also when that has ended; a cancelled one gives it up. Null: no longer.';
  end if;
end $$;

-- With two arguments less there would be two of that name.
drop function if exists dibs.take_key(text, text, bigint);

create or replace function dibs.take_key(
    p_type text, p_unique_key text, p_task bigint, p_scope text default null,
    p_held_until timestamptz default null, out holder uuid, out place text)
  language plpgsql set search_path = '' as $$
declare
  v_holder record;
begin
  loop
    insert into dibs.unique_key (type, key, task, held_until)
      values (p_type, p_unique_key, p_task, p_held_until) on conflict do nothing;
    if found then return; end if;
    select k.task, k.held_until > dibs.clock() as held, dibs.place_of(k.task, p_scope is null) as place, l.id
      into v_holder
      from dibs.unique_key k
      left join dibs.log l on l.id >= dibs.id_of(k.task) and l.id < dibs.id_of(k.task + 1)
      where k.type = p_type and k.key = p_unique_key;
    -- Not found: the task that had the key ended between the two statements.
    continue when not found;
    if v_holder.place = 'pending' or v_holder.place = 'running' and p_scope is distinct from 'pending'
      or v_holder.held and v_holder.place not in ('cancelled', 'gone') then
      holder := v_holder.id;
      place := v_holder.place;
      return;
    end if;
    update dibs.unique_key set task = p_task, held_until = p_held_until
      where type = p_type and key = p_unique_key and task = v_holder.task;
    continue when not found;
    -- It runs on, and is retried, as a task without a key.
    if v_holder.place = 'running' then
      update dibs.log set unique_key = null where id = v_holder.id;
    end if;
    return;
  end loop;
end $$;
comment on function dibs.take_key(text, text, bigint, text, timestamptz) is
  'Give a unique key to a task. Returns nulls when it got it, otherwise the id of the task that has it, and where that
is.
p_scope: unfinished, or pending where a running task is to leave the key to others; null: unfinished, and it does not
matter whether it waits or runs, which is told sooner. p_held_until: how long the key stays with the task at least.';

create or replace function dibs.place_of(p_task bigint, p_roughly boolean) returns text
  language plpgsql stable set search_path = '' as $$
begin
  -- One snapshot for all of it, in which a task is in one place.
  return coalesce(
    (select 'pending' from dibs.ready r
      where not p_roughly and lower(r.run) >> 7 = p_task >> 7 and r.run @> p_task),
    (select 'pending' from dibs.gated g
      where not p_roughly and lower(g.run) >> 7 = p_task >> 7 and g.run @> p_task),
    (select 'pending' from dibs.waiting w where not p_roughly and w.task = p_task),
    (select o.status from dibs.outcome o where lower(o.run) >> 7 = p_task >> 7 and o.run @> p_task),
    (select 'running' from dibs.log l where l.id >= dibs.id_of(p_task) and l.id < dibs.id_of(p_task + 1)),
    'gone');
end $$;
comment on function dibs.place_of(bigint, boolean) is
  'Where a task is: pending, running, gone, or how it ended. p_roughly: what is pending may be called running.';

create or replace function dibs.retake_key(p_type text, p_unique_key text, p_task bigint) returns boolean
  language plpgsql set search_path = '' as $$
declare
  v_held_until timestamptz;
begin
  -- Its own row is made anew: whoever saw that its task had ended must not take it over any more.
  delete from dibs.unique_key where type = p_type and key = p_unique_key and task = p_task
    returning held_until into v_held_until;
  return (dibs.take_key(p_type, p_unique_key, p_task, null, v_held_until)).holder is null;
end $$;
comment on function dibs.retake_key(text, text, bigint) is
  'Give a task that is to run again its unique key back, if nobody else has it. Returns whether it got it.';

-- As told ------------------------------------------------------------------------------------------

create or replace function dibs.is_unique_option(p_field text, p_value jsonb) returns boolean
  language plpgsql immutable set search_path = '' as $$
begin
  return case p_field
    when 'unique_mode' then p_value #>> '{}' in ('return_existing', 'reject', 'replace', 'debounce')
    when 'unique_scope' then p_value #>> '{}' in ('unfinished', 'pending')
    when 'unique_seconds' then
      p_value::text ~ '^\d{1,8}$' and (p_value #>> '{}')::int between 1 and 31536000
    when 'unique_merge' then jsonb_typeof(p_value) = 'boolean'
    else false end;
end $$;
comment on function dibs.is_unique_option(text, jsonb) is
  'Whether this is a field of a task that says what its unique key means, and a value that it can have.';

create or replace function dibs.check_unique(p_path text, p_unique_key text, p_extras jsonb) returns void
  language plpgsql immutable set search_path = '' as $$
declare
  v_field text := (
    select key from jsonb_each(p_extras)
    where key in ('unique_mode', 'unique_scope', 'unique_seconds', 'unique_merge') and jsonb_typeof(value) <> 'null'
    order by key limit 1);
begin
  if v_field is not null and p_unique_key is null then
    perform dibs.refuse('PT400', p_path || '.' || v_field || ' goes with a unique_key only',
      'Give the task a unique_key.');
  elsif (p_extras ->> 'unique_merge')::boolean and p_extras ->> 'unique_mode' is distinct from 'debounce' then
    perform dibs.refuse('PT400', p_path || '.unique_merge goes with unique_mode debounce only',
      'Leave it out: replace puts the new payload in the place of the old one.');
  end if;
end $$;
comment on function dibs.check_unique(text, text, jsonb) is
  'Refuse (PT400) fields about a unique key that say nothing where they are.';

create or replace function dibs.await_turn(p_extras jsonb, p_alone boolean default false) returns void
  language plpgsql set search_path = '' as $$
begin
  if p_extras ->> 'unique_mode' in ('replace', 'debounce') or p_extras ->> 'unique_scope' = 'pending' then
    perform dibs.one_at_a_time(p_single => not p_alone);
  end if;
end $$;
comment on function dibs.await_turn(jsonb, boolean) is
  'Before anything else of an enqueue that may change another task: wait for those who move tasks by hand. p_alone: go
on beside nobody, for a list, which locks several.';

create or replace function dibs.take_key_as_told(
    p_type text, p_unique_key text, p_task bigint, p_payload jsonb, p_priority int, p_run_at timestamptz,
    p_max_attempts int, p_extras jsonb, out id uuid, out replaced boolean)
  language plpgsql set search_path = '' as $$
declare
  v_scope text := coalesce(p_extras ->> 'unique_scope', 'unfinished');
  v_held_until timestamptz := dibs.clock() + (p_extras ->> 'unique_seconds')::int * interval '1 s';
  v_place text;
begin
  loop
    select holder, place into id, v_place from dibs.take_key(p_type, p_unique_key, p_task, v_scope, v_held_until);
    replaced := false;
    exit when id is null;
    case p_extras ->> 'unique_mode'
      when 'reject' then
        perform dibs.refuse('PT409', 'unique_key is taken by task ' || id,
          'Leave unique_mode out to get that id as the answer.');
      when 'replace' then
        replaced := v_place = 'pending'
          and dibs.replace_task(id, p_type, p_unique_key, p_payload, p_priority, p_run_at, p_max_attempts);
      when 'debounce' then
        replaced := v_place = 'pending' and dibs.replace_task(id, p_type, p_unique_key, p_payload, null, p_run_at, null,
          coalesce((p_extras ->> 'unique_merge')::boolean, false));
      else exit;
    end case;
    -- It was pending when it was looked at, and moved before it was had: all of that again.
    exit when replaced or v_place <> 'pending';
  end loop;
end $$;
comment on function dibs.take_key_as_told(text, text, bigint, jsonb, int, timestamptz, int, jsonb) is
  'Give a unique key to a task, or do what the fields about it say where another one has it. Returns the id of that one,
null when the task got the key, and whether it was replaced. PT409 where it is to be rejected.';

create or replace function dibs.replace_task(
    p_id uuid, p_type text, p_unique_key text, p_payload jsonb, p_priority int, p_run_at timestamptz,
    p_max_attempts int, p_merge boolean default false) returns boolean
  language plpgsql set search_path = '' as $$
declare
  v_task int8multirange := int8multirange(int8range(dibs.task_of(p_id), dibs.task_of(p_id) + 1));
  v_waits boolean;
begin
  -- From here on nobody can claim, cancel or replace it. One that waits for others goes on doing so.
  update dibs.waiting set run_at = p_run_at where task = lower(v_task);
  v_waits := found;
  if not v_waits and isempty(dibs.withdraw(v_task, p_leased => false)) then return false; end if;
  -- It may have given up its key while it ran; then it is not the one that is meant.
  if not exists (
    select from dibs.unique_key
    where type = p_type and key = p_unique_key and task = lower(v_task) for update) then
    if not v_waits then perform dibs.make_ready(v_task); end if;
    return false;
  end if;
  update dibs.log set payload = case when p_merge then payload || p_payload else p_payload end,
      priority = coalesce(p_priority, priority), run_at = p_run_at,
      max_attempts = coalesce(p_max_attempts, max_attempts)
    where id = p_id;
  if not v_waits then perform dibs.make_ready(v_task, p_run_at); end if;
  return true;
end $$;
comment on function dibs.replace_task(uuid, text, text, jsonb, int, timestamptz, int, boolean) is
  'Put what a new call brought in the place of what a pending task has; null leaves as it is. Its id, its history and
when it was made stay. p_merge: the payloads are merged. Returns false when it is not pending any more.';

select dibs.seal();
