-- Enqueueing: into the log, and as runs into ready.

create or replace function public.create_task(
    p_type text, p_payload jsonb default '{}', p_priority int default 0, p_run_at timestamptz default null,
    p_max_attempts int default 5, p_unique_key text default null) returns uuid
  language plpgsql set search_path = '' as $$
declare
  v_id uuid;
begin
  perform dibs.check_task('p_', p_type, p_priority, p_max_attempts, p_unique_key);
  v_id := (dibs.put_task(p_type, p_payload, p_priority, p_run_at, p_max_attempts, p_unique_key)).id;
  perform dibs.wake(p_run_at);
  return v_id;
end $$;
comment on function public.create_task(text, jsonb, int, timestamptz, int, text) is
  'Enqueue one task.
p_type: what handler it is for, 1 to 100 characters. p_payload: any JSON. p_priority: smaller runs first.
p_run_at: not before this moment.
p_max_attempts: failures until it is failed for good. p_unique_key: while a task of this type and key has not
ended, no second one is made.
Returns the id; with a unique key that is taken, the id of the task that has it.
Errors: PT400 for bad input.';

create or replace function public.enqueue_tasks(p_tasks jsonb, p_request_id text default null)
  returns table (id uuid, deduplicated boolean)
  language plpgsql set search_path = '' as $$
declare
  v_answer jsonb := dibs.recall('enqueue_tasks', p_request_id);
begin
  if v_answer is null then
    perform dibs.check_tasks(p_tasks);
    v_answer := dibs.put_tasks(p_tasks);
    perform dibs.remember('enqueue_tasks', p_request_id, v_answer);
    perform dibs.wake(min(coalesce((t ->> 'run_at')::timestamptz, '-infinity'))) from jsonb_array_elements(p_tasks) t;
  end if;
  return query
    select (a ->> 0)::uuid, (a ->> 1)::boolean
    from jsonb_array_elements(v_answer) with ordinality u(a, place) order by place;
end $$;
comment on function public.enqueue_tasks(jsonb, text) is
  'Enqueue many tasks in one transaction.
p_tasks: an array of at most 1000 objects {type, payload?, priority?, run_at?, max_attempts?, unique_key?}, as
in create_task.
p_request_id: a repeat of the same request enqueues nothing and is answered the same.
Returns a row per task, in the order given: its id, and whether an unfinished task with its unique key was
there already.
Errors: PT400 with the path of the bad field; then nothing was enqueued.';

-- Checks -------------------------------------------------------------------------------------------

create or replace function dibs.check_task(
    p_path text, p_type text, p_priority bigint, p_max_attempts bigint, p_unique_key text) returns void
  language plpgsql set search_path = '' as $$
begin
  perform dibs.check_label(p_path || 'type', p_type, 100),
    dibs.check_between(p_path || 'priority', p_priority, -32768, 32767),
    dibs.check_between(p_path || 'max_attempts', p_max_attempts, 1, 100);
  if p_unique_key is not null then
    perform dibs.check_label(p_path || 'unique_key', p_unique_key, 200);
  end if;
end $$;
comment on function dibs.check_task(text, text, bigint, bigint, text) is
  'Refuse (PT400) a task with a bad option, naming it.';

create or replace function dibs.check_tasks(p_tasks jsonb) returns void
  language plpgsql set search_path = '' as $$
declare
  v_place bigint;
  v_field text;
begin
  if p_tasks is null or jsonb_typeof(p_tasks) <> 'array' then
    perform dibs.refuse('PT400', 'p_tasks must be an array of tasks');
  end if;
  perform dibs.check_between('the number of p_tasks', jsonb_array_length(p_tasks), 1, 1000);

  select place - 1 into v_place from jsonb_array_elements(p_tasks) with ordinality u(t, place)
    where jsonb_typeof(t) <> 'object' limit 1;
  if found then
    perform dibs.refuse('PT400', 'p_tasks[' || v_place || '] must be an object with a type');
  end if;

  select place - 1, key into v_place, v_field
    from jsonb_array_elements(p_tasks) with ordinality u(t, place), jsonb_each(t) e(key, value)
    where not case
      when key = 'type' then jsonb_typeof(value) = 'string'
      when key = 'payload' then true
      when key in ('unique_key', 'run_at', 'priority', 'max_attempts') and jsonb_typeof(value) = 'null' then true
      when key = 'unique_key' then jsonb_typeof(value) = 'string'
      when key = 'run_at' then jsonb_typeof(value) = 'string' and dibs.is_moment(value #>> '{}')
      when key in ('priority', 'max_attempts') then value::text ~ '^-?\d{1,9}$'
      else false end
    order by place limit 1;
  if found then
    perform dibs.refuse('PT400',
      'p_tasks[' || v_place || '].' || v_field || ' is not a field of a task or has the wrong type',
      'Fields: type, unique_key (text), payload (any), priority, max_attempts (whole numbers), run_at (a timestamp).');
  end if;

  -- Once for all that are alike: a thousand calls would cost more than the writing.
  perform dibs.check_task('p_tasks[' || place - 1 || '].', type, priority, max_attempts, unique_key)
    from (
      select t ->> 'type' as type, coalesce((t ->> 'priority')::bigint, 0) as priority,
        coalesce((t ->> 'max_attempts')::bigint, 5) as max_attempts, t ->> 'unique_key' as unique_key,
        min(place) as place
      from jsonb_array_elements(p_tasks) with ordinality u(t, place)
      group by 1, 2, 3, 4 order by min(place)
    ) alike;
end $$;
comment on function dibs.check_tasks(jsonb) is 'Refuse (PT400) a list of tasks of which one is bad, naming the field.';

create or replace function dibs.is_moment(p_text text) returns boolean
  language plpgsql stable set search_path = '' as $$
begin
  return p_text ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d' and p_text::timestamptz is not null;
exception when data_exception then
  return false;
end $$;
comment on function dibs.is_moment(text) is 'Whether a text is a timestamp, such as 2027-01-31T09:30:00Z.';

-- Writing ------------------------------------------------------------------------------------------

create or replace function dibs.put_task(
    p_type text, p_payload jsonb, p_priority int, p_run_at timestamptz, p_max_attempts int, p_unique_key text,
    out id uuid, out deduplicated boolean)
  language plpgsql set search_path = '' as $$
declare
  -- Never before now, so that nothing new lies behind a hint.
  v_run_at timestamptz := greatest(p_run_at, dibs.clock());
  v_task bigint := nextval('dibs.task_number');
begin
  -- Lanes before keys, as put_tasks does: who waits for both must wait in the same order.
  insert into dibs.lane values (p_type, p_priority) on conflict do nothing;
  if p_unique_key is not null then
    id := dibs.take_key(p_type, p_unique_key, v_task);
    deduplicated := id is not null;
    if deduplicated then return; end if;
  end if;
  id := dibs.id_of(v_task, hashint8extended(v_task, (select seed from dibs.id_seed)));
  deduplicated := false;
  insert into dibs.log (id, type, payload, priority, run_at, max_attempts, unique_key)
    values (put_task.id, p_type, coalesce(p_payload, '{}'), p_priority, v_run_at, p_max_attempts, p_unique_key);
  insert into dibs.ready (type, priority, run_at, run)
    values (p_type, p_priority, v_run_at, int8range(v_task, v_task + 1));
end $$;
comment on function dibs.put_task(text, jsonb, int, timestamptz, int, text) is 'Write one task that was checked.';

create or replace function dibs.take_key(p_type text, p_unique_key text, p_task bigint) returns uuid
  language plpgsql set search_path = '' as $$
declare
  v_id uuid;
begin
  loop
    insert into dibs.unique_key values (p_type, p_unique_key, p_task) on conflict do nothing;
    if found then return null; end if;
    select l.id into v_id from dibs.unique_key k
      join dibs.log l on l.id >= dibs.id_of(k.task) and l.id < dibs.id_of(k.task + 1)
      where k.type = p_type and k.key = p_unique_key;
    -- Not found: the task that had the key ended between the two statements.
    if found then return v_id; end if;
  end loop;
end $$;
comment on function dibs.take_key(text, text, bigint) is
  'Give a unique key to a task: null when it got it, otherwise the id of the unfinished task that has it.';

create or replace function dibs.put_tasks(p_tasks jsonb) returns jsonb
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_seed bigint := (select seed from dibs.id_seed);
  v_written jsonb;
begin
  insert into dibs.lane
    select distinct t ->> 'type', coalesce((t ->> 'priority')::smallint, 0::smallint)
    from jsonb_array_elements(p_tasks) t
    order by 1, 2 on conflict do nothing;
  with item as materialized (
    select place, t ->> 'type' as type, t -> 'payload' as payload,
      coalesce((t ->> 'priority')::smallint, 0::smallint) as priority,
      (t ->> 'run_at')::timestamptz as run_at, coalesce((t ->> 'max_attempts')::smallint, 5::smallint) as max_attempts,
      t ->> 'unique_key' as unique_key
    from jsonb_array_elements(p_tasks) with ordinality u(t, place)
  ), keyed as materialized (
    -- Those with a unique key one by one, in the order of the keys, so that two calls cannot deadlock.
    select i.place, made.id, made.deduplicated
    from (select * from item where unique_key is not null order by type, unique_key, place) i,
      lateral dibs.put_task(i.type, i.payload, i.priority, i.run_at, i.max_attempts, i.unique_key) made
  ), placed as (
    select place, type, payload, priority, greatest(run_at, v_now) as run_at, max_attempts,
      row_number() over alike - 1 as at,
      count(*) over (alike rows between unbounded preceding and unbounded following) as size
    from item where unique_key is null
    window alike as (partition by type, priority, greatest(run_at, v_now) order by place)
  ), run as materialized (
    select *, case when size = 1 then nextval('dibs.task_number') else nextval('dibs.task_page') end as first
    from (
      select type, priority, run_at, at / 100 as nth, count(*) as length, min(size) as size
      from placed group by type, priority, run_at, at / 100 order by min(place)
    ) r
  ), numbered as materialized (
    select p.*, dibs.id_of(n.task, hashint8extended(n.task, v_seed)) as id
    from placed p
    join run r on r.type = p.type and r.priority = p.priority and r.run_at = p.run_at and r.nth = p.at / 100,
      lateral (select r.first + p.at % 100 as task) n
  ), waiting as (
    insert into dibs.ready (type, priority, run_at, run)
    select type, priority, run_at, int8range(first, first + length) from run
  ), logged as (
    insert into dibs.log (id, type, payload, priority, run_at, max_attempts)
    select id, type, coalesce(payload, '{}'), priority, run_at, max_attempts from numbered
  )
  select jsonb_agg(jsonb_build_array(id, deduplicated) order by place) into v_written
  from (select place, id, deduplicated from keyed union all select place, id, false from numbered) written;
  return v_written;
end $$;
comment on function dibs.put_tasks(jsonb) is
  'Write tasks that were checked: those alike in type, priority and run_at as runs of up to 100. Returns [id,
deduplicated] for each, in order.';

select dibs.seal();
