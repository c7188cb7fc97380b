-- Enqueueing: into the log, and as runs into ready.
-- This is longer than 300 lines because one task, many alike and many mixed are checked and written by the same rules.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

-- With one argument less there would be two of that name, and a call could mean either.
drop function if exists public.create_task(text, jsonb, int, timestamptz, int, text);

create or replace function public.create_task(
    p_type text, p_payload jsonb default '{}', p_priority int default 0, p_run_at timestamptz default null,
    p_max_attempts int default 5, p_unique_key text default null, p_options jsonb default null) returns uuid
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_id uuid;
begin
  perform dibs.check_task('p_', p_type, p_priority, p_max_attempts, p_unique_key);
  if p_options is not null then perform dibs.check_extras('p_options', p_options); end if;
  v_id := (dibs.put_task(p_type, p_payload, p_priority, p_run_at, p_max_attempts, p_unique_key, p_options)).id;
  perform dibs.wake(p_run_at, array[p_type]);
  return v_id;
end $$;
comment on function public.create_task(text, jsonb, int, timestamptz, int, text, jsonb) is
  'Enqueue one task.
p_type: what handler it is for, 1 to 100 characters. p_payload: any JSON. p_priority: smaller runs first.
p_run_at: not before this moment.
p_max_attempts: failures until it is failed for good. p_unique_key: while a task of this type and key has not
ended, no second one is made. p_options: an object of what else a task may have, as in enqueue_tasks.
Returns the id; with a unique key that is taken, the id of the task that has it.
Errors: PT400 for bad input.';

create or replace function public.enqueue_tasks(p_tasks jsonb, p_request_id text default null)
  returns table (id uuid, deduplicated boolean)
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_answer jsonb := dibs.recall('enqueue_tasks', p_request_id);
  v_ids uuid[];
  v_deduplicated boolean[];
begin
  if v_answer is null then
    select * into v_ids, v_deduplicated from dibs.put_tasks(p_tasks);
    if p_request_id is not null then
      perform dibs.remember('enqueue_tasks', p_request_id, jsonb_build_array(v_ids, v_deduplicated));
    end if;
  else
    v_ids := array(select jsonb_array_elements_text(v_answer -> 0));
    v_deduplicated := array(select jsonb_array_elements_text(v_answer -> 1));
  end if;
  return query select * from unnest(v_ids, v_deduplicated);
end $$;
comment on function public.enqueue_tasks(jsonb, text) is
  'Enqueue many tasks in one transaction.
p_tasks: an array of at most 1000 objects {type, payload?, priority?, run_at?, max_attempts?, unique_key?, key?,
order_key?}, as in create_task. key: whose task it is, for limits, rates and a fair share. order_key: tasks of a type
with the same one run one at a time, in the order in which they were enqueued.
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
    dibs.check_between(p_path || 'priority', coalesce(p_priority, 0), -32768, 32767),
    dibs.check_between(p_path || 'max_attempts', coalesce(p_max_attempts, 5), 1, 100);
  if p_unique_key is not null then
    perform dibs.check_label(p_path || 'unique_key', p_unique_key, 200);
  end if;
end $$;
comment on function dibs.check_task(text, text, bigint, bigint, text) is
  'Refuse (PT400) a task with a bad option, naming it.';

create or replace function dibs.options_of(
    p_place bigint, p_options jsonb, out type text, out priority smallint, out run_at timestamptz,
    out max_attempts smallint, out unique_key text, out extras jsonb)
  language plpgsql stable set search_path = '' as $$
declare
  v_path text := 'p_tasks[' || p_place || ']';
  v_field text;
begin
  if jsonb_typeof(p_options) <> 'object' then
    perform dibs.refuse('PT400', v_path || ' must be an object with a type');
  end if;
  select key into v_field from jsonb_each(p_options)
    where not case
      when key = 'type' then jsonb_typeof(value) = 'string'
      when key in ('unique_key', 'run_at', 'priority', 'max_attempts') and jsonb_typeof(value) = 'null' then true
      when key = 'unique_key' then jsonb_typeof(value) = 'string'
      when key = 'run_at' then jsonb_typeof(value) = 'string' and dibs.is_moment(value #>> '{}')
      when key in ('priority', 'max_attempts') then value::text ~ '^-?\d{1,9}$'
      else true end
    limit 1;
  if found then
    perform dibs.refuse('PT400', v_path || '.' || v_field || ' has the wrong type',
      'type and unique_key are texts, priority and max_attempts whole numbers, run_at is a timestamp.');
  end if;
  extras := nullif(
    jsonb_strip_nulls(p_options - array['type', 'priority', 'run_at', 'max_attempts', 'unique_key']), '{}');
  if extras is not null then perform dibs.check_extras(v_path, extras); end if;
  perform dibs.check_task(v_path || '.', p_options ->> 'type', (p_options ->> 'priority')::bigint,
    (p_options ->> 'max_attempts')::bigint, p_options ->> 'unique_key');
  type := p_options ->> 'type';
  priority := coalesce((p_options ->> 'priority')::smallint, 0);
  run_at := p_options ->> 'run_at';
  max_attempts := coalesce((p_options ->> 'max_attempts')::smallint, 5);
  unique_key := p_options ->> 'unique_key';
end $$;
comment on function dibs.options_of(bigint, jsonb) is
  'What a task of a list says of itself beside its payload. Refuses (PT400) a bad option, naming it by the task''s
place in the list.';

create or replace function dibs.check_extras(p_path text, p_extras jsonb) returns void
  language plpgsql stable set search_path = '' as $$
declare
  v_field text;
begin
  if jsonb_typeof(p_extras) <> 'object' then
    perform dibs.refuse('PT400', p_path || ' must be an object');
  end if;
  select key into v_field from jsonb_each(p_extras)
    where not case
      when jsonb_typeof(value) = 'null' then true
      when key in ('key', 'order_key') then dibs.is_label(value, 200)
      else false end
    limit 1;
  if found then
    perform dibs.refuse('PT400', p_path || '.' || v_field || ' is not a field of a task or has the wrong type',
      'Fields: type, unique_key (text), payload (any), priority, max_attempts (whole numbers), run_at (a timestamp), '
      'key, order_key (text of 1 to 200 printable characters).');
  end if;
end $$;
comment on function dibs.check_extras(text, jsonb) is
  'Refuse (PT400) what few tasks have, where it is unknown or wrong, naming it.';

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
    p_extras jsonb, out id uuid, out deduplicated boolean)
  language plpgsql set search_path = '' as $$
declare
  -- Never before now, so that nothing new lies behind a hint.
  v_run_at timestamptz := greatest(p_run_at, dibs.clock());
  v_task bigint := nextval('dibs.task_number');
begin
  -- Lanes before keys, as put_tasks does: who waits for both must wait in the same order.
  insert into dibs.lane values ('', p_priority), (p_type, p_priority) on conflict do nothing;
  if p_unique_key is not null then
    id := dibs.take_key(p_type, p_unique_key, v_task);
    deduplicated := id is not null;
    if deduplicated then return; end if;
  end if;
  id := dibs.id_of(v_task, hashint8extended(v_task, (select seed from dibs.id_seed)));
  deduplicated := false;
  insert into dibs.log (id, type, payload, priority, run_at, max_attempts, unique_key)
    values (put_task.id, p_type, coalesce(p_payload, '{}'), p_priority, v_run_at, p_max_attempts, p_unique_key);
  if p_extras ?| array['key', 'order_key'] then
    perform dibs.put_keyed(v_task, p_type, p_priority, v_run_at, p_extras);
  else
    insert into dibs.ready (type, priority, run_at, run, plain)
      values (p_type, p_priority, v_run_at, int8multirange(int8range(v_task, v_task + 1)), p_unique_key is null);
  end if;
end $$;
comment on function dibs.put_task(text, jsonb, int, timestamptz, int, text, jsonb) is
  'Write one task that was checked.';

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

create or replace function dibs.put_tasks(p_tasks jsonb, out ids uuid[], out deduplicated boolean[])
  language plpgsql set search_path = '' as $$
declare
  v_size int;
begin
  if p_tasks is null or jsonb_typeof(p_tasks) <> 'array' then
    perform dibs.refuse('PT400', 'p_tasks must be an array of tasks');
  end if;
  v_size := jsonb_array_length(p_tasks);
  perform dibs.check_between('the number of p_tasks', v_size, 1, 1000);
  if v_size > 1 and jsonb_typeof(p_tasks -> 0) = 'object' and not p_tasks -> 0 ? 'unique_key' then
    ids := dibs.put_alike_tasks(p_tasks, v_size);
  end if;
  if ids is null then
    select * into ids, deduplicated from dibs.put_mixed_tasks(p_tasks);
  else
    deduplicated := array_fill(false, array[v_size]);
  end if;
end $$;
comment on function dibs.put_tasks(jsonb) is
  'Check and write many tasks. Returns the id of each, in the order given, and whether that is the id of an unfinished
task that has its unique key.';

create or replace function dibs.put_alike_tasks(p_tasks jsonb, p_size int) returns uuid[]
  language plpgsql set search_path = '' as $$
declare
  v_options jsonb := (p_tasks -> 0) - 'payload';
  v_kind record := dibs.options_of(0, v_options);
  v_now timestamptz := dibs.clock();
  v_run_at timestamptz := greatest(v_kind.run_at, v_now);
  v_seed bigint := (select seed from dibs.id_seed);
  v_first bigint[] := array(select nextval('dibs.task_page') from generate_series(1, p_size, 100));
  -- Some ten runs at least, so that as many workers find one each.
  v_run_length int := greatest(8, least(100, p_size / 10));
  v_ids uuid[];
begin
  if v_kind.extras is not null then return null; end if;
  with item as materialized (
    select place - 1 as at, t -> 'payload' as payload,
      jsonb_typeof(t) = 'object' and t - 'payload' = v_options as alike
    from jsonb_array_elements(p_tasks) with ordinality u(t, place)
  ), logged as (
    -- dibs.id_of written out: a thousand calls of it would take as long as the writing.
    insert into dibs.log (id, type, payload, priority, run_at, max_attempts)
    select encode(int8send(task << 16 | 32768)
        || int8send(hashint8extended(task, v_seed) & 4611686018427387903 | (-9223372036854775808)), 'hex')::uuid,
      v_kind.type, coalesce(payload, '{}'), v_kind.priority, v_run_at, v_kind.max_attempts
    from item, lateral (select v_first[at / 100 + 1] + at % 100 as task) n
    where (select bool_and(alike) from item)
    order by at
    returning id
  )
  select array_agg(id) into v_ids from logged;
  if v_ids is null then return null; end if;
  insert into dibs.lane values ('', v_kind.priority), (v_kind.type, v_kind.priority) on conflict do nothing;
  insert into dibs.ready (type, priority, run_at, run, plain)
    select v_kind.type, v_kind.priority, v_run_at,
      int8multirange(int8range(first + at, first + least(at + v_run_length, 100, p_size - (nth - 1) * 100))), true
    from unnest(v_first) with ordinality page(first, nth),
      generate_series(0, least(100, p_size - (nth - 1) * 100) - 1, v_run_length) at;
  perform dibs.wake(v_run_at, array[v_kind.type]);
  return v_ids;
end $$;
comment on function dibs.put_alike_tasks(jsonb, int) is
  'The usual list: tasks that are alike but for their payload, as runs, a hundred tasks to a page. Returns their ids,
or null, having written nothing, when they are not alike.';

create or replace function dibs.put_mixed_tasks(p_tasks jsonb, out ids uuid[], out deduplicated boolean[])
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_seed bigint := (select seed from dibs.id_seed);
  v_soonest timestamptz;
  v_types text[];
begin
  -- What many tasks have in common is read, checked and placed once for all of them.
  with kind as materialized (
    select k.places, k.payloads, o.type, o.priority, greatest(o.run_at, v_now) as run_at, o.max_attempts, o.unique_key,
      o.extras
    from (
      select min(place) - 1 as first, options, array_agg(place) as places, array_agg(payload) as payloads
      from (
        select place, t -> 'payload' as payload,
          case jsonb_typeof(t) when 'object' then t - 'payload' else t end as options
        from jsonb_array_elements(p_tasks) with ordinality u(t, place)
      ) item
      group by options order by first
    ) k,
      lateral dibs.options_of(k.first, k.options) o
  ), lane as (
    -- In one order and before keys, as everybody: two calls cannot wait for each other.
    insert into dibs.lane
    select type, priority from kind union select '', priority from kind
    order by type, priority on conflict do nothing returning type
  ), keyed as materialized (
    -- One by one, in the order of the keys, for the same reason.
    select i.place, made.id, made.deduplicated
    from (
        select k.*, place, payload from kind k, unnest(places, payloads) item(place, payload)
        where (unique_key is not null or extras is not null) and (select count(*) from lane) >= 0
        order by type, unique_key, place
      ) i,
      lateral dibs.put_task(i.type, i.payload, i.priority, i.run_at, i.max_attempts, i.unique_key,
        i.extras) made
  ), page as materialized (
    select k.*, nth, least(size - nth, 100) as length, greatest(8, least(100, size / 10)) as run_length,
      case when size = 1 then nextval('dibs.task_number') else nextval('dibs.task_page') end as first
    from kind k, cardinality(places) size, generate_series(0, size - 1, 100) nth
    where unique_key is null and extras is null
  ), numbered as materialized (
    select place, type, payload, priority, run_at, max_attempts,
      dibs.id_of(task, hashint8extended(task, v_seed)) as id
    from page,
      unnest(places[nth + 1:nth + 100], payloads[nth + 1:nth + 100]) with ordinality item(place, payload, at),
      lateral (select first + at - 1 as task) n
  ), waiting as (
    insert into dibs.ready (type, priority, run_at, run, plain)
    -- Some ten runs at least, so that as many workers find one each.
    select type, priority, run_at, int8multirange(int8range(first + at, first + least(at + run_length, length))), true
    from page, generate_series(0, length - 1, run_length) at
  ), logged as (
    insert into dibs.log (id, type, payload, priority, run_at, max_attempts)
    select id, type, coalesce(payload, '{}'), priority, run_at, max_attempts from numbered
  )
  select array_agg(w.id), array_agg(w.known), (select min(run_at) from kind), (select array_agg(type) from kind)
    into ids, deduplicated, v_soonest, v_types
  from (
    select u.id, u.known
    from (
      select place, k.id, k.deduplicated as known from keyed k union all select place, n.id, false from numbered n
    ) u
    order by place
  ) w;
  perform dibs.wake(v_soonest, v_types);
end $$;
comment on function dibs.put_mixed_tasks(jsonb) is
  'Any list: those tasks that are alike but for their payload go together as runs.';

select dibs.seal();
