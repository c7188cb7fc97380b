-- Enqueueing: into the log, and as runs into ready.
-- This is longer than 300 lines because one task, many alike and many mixed are checked and written by the same rules.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

-- With one argument less there would be two of that name, and a call could mean either.
drop function if exists public.create_task(text, jsonb, int, timestamptz, int, text);
drop function if exists public.enqueue_tasks(jsonb, text);
-- Nor can what a function returns be changed.
do $$
begin
  if pg_get_function_arguments(to_regprocedure('dibs.put_tasks(jsonb)')) !~ 'replaced' then
    drop function if exists dibs.put_task(text, jsonb, int, timestamptz, int, text, jsonb);
    drop function dibs.put_tasks(jsonb);
    drop function dibs.put_mixed_tasks(jsonb);
  end if;
end $$;

create or replace function public.create_task(
    p_type text, p_payload jsonb default '{}', p_priority int default 0, p_run_at timestamptz default null,
    p_max_attempts int default 5, p_unique_key text default null, p_options jsonb default null) returns uuid
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_made record;
begin
  perform dibs.check_task('p_', p_type, p_priority, p_max_attempts, p_unique_key);
  if p_options is not null then
    perform dibs.check_extras('p_options', p_options), dibs.check_unique('p_options', p_unique_key, p_options);
  end if;
  if p_options ? 'depends_on' then perform dibs.one_at_a_time(p_single => true); end if;
  v_made := dibs.put_task(p_type, p_payload, p_priority, p_run_at, p_max_attempts, p_unique_key, p_options);
  if p_options ? 'depends_on' then
    perform dibs.depend('p_options', jsonb_build_array(p_options), array[v_made.id], array[v_made.deduplicated]);
  end if;
  perform dibs.wake(p_run_at, array[p_type]);
  return v_made.id;
end $$;
comment on function public.create_task(text, jsonb, int, timestamptz, int, text, jsonb) is
  'Enqueue one task.
p_type: what handler it is for, 1 to 100 characters. p_payload: any JSON. p_priority: smaller runs first.
p_run_at: not before this moment.
p_max_attempts: failures until it is failed for good. p_unique_key: while a task of this type and key has not
ended, no second one is made. p_options: an object of what else a task may have, as in enqueue_tasks.
Returns the id; with a unique key that is taken, the id of the task that has it.
Errors: PT400 for bad input, PT409 as in enqueue_tasks.';

create or replace function public.enqueue_tasks(
    p_tasks jsonb, p_request_id text default null, p_traceparent text default null)
  returns table (id uuid, deduplicated boolean, replaced boolean)
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_answer jsonb := dibs.recall('enqueue_tasks', p_request_id);
  v_ids uuid[];
  v_deduplicated boolean[];
  v_replaced boolean[];
begin
  if v_answer is null then
    select * into v_ids, v_deduplicated, v_replaced from dibs.put_tasks(p_tasks);
    if p_traceparent is not null then perform dibs.note_trace(p_traceparent, v_ids, v_deduplicated); end if;
    if p_request_id is not null then
      perform dibs.remember('enqueue_tasks', p_request_id, jsonb_build_array(v_ids, v_deduplicated, v_replaced));
    end if;
  else
    v_ids := array(select jsonb_array_elements_text(v_answer -> 0));
    v_deduplicated := array(select jsonb_array_elements_text(v_answer -> 1));
    v_replaced := array(select jsonb_array_elements_text(v_answer -> 2));
  end if;
  return query select * from unnest(v_ids, v_deduplicated, v_replaced);
end $$;
comment on function public.enqueue_tasks(jsonb, text, text) is
  'Enqueue many tasks in one transaction.
p_tasks: an array of at most 1000 objects {type, payload?, priority?, run_at?, max_attempts?, unique_key?, key?,
order_key?, depends_on?, depends_mode?, on_parent_failure?}, as in create_task.
key: whose task it is, for limits, rates and a fair share. order_key: tasks of a type with the same one run one at a
time, in the order in which they were enqueued.
depends_on: ids of tasks this one waits for, or places (from 0) of earlier tasks of the list. depends_mode: all (the
default) or any of them. on_parent_failure: when one fails for good or is cancelled, cancel this one (the default),
count it as done (run), or wait for it to be tried again (wait).
Beside a unique_key: unique_mode, what to do where it is taken: return_existing (if not said),
reject, replace (while that task is pending: payload, priority, run_at and max_attempts) or debounce (while pending:
payload and run_at; unique_merge true: payload || payload); unique_scope: unfinished (if not said) or pending, then a
running task does not count; unique_seconds: so long the key stays taken at least, also when the task has ended.
p_request_id: a repeat of the same request enqueues nothing and is answered the same.
p_traceparent: the W3C trace context of the caller, which task_traces tells the worker.
Returns a row per task, in the order given: its id, whether that is the id of a task that had its unique key
already, and whether that one was replaced.
Errors: PT400 with the path of the bad field, PT409 for a unique_key that is taken with unique_mode reject; then
nothing was enqueued.';

-- Writing ------------------------------------------------------------------------------------------

create or replace function dibs.put_task(
    p_type text, p_payload jsonb, p_priority int, p_run_at timestamptz, p_max_attempts int, p_unique_key text,
    p_extras jsonb, out id uuid, out deduplicated boolean, out replaced boolean)
  language plpgsql set search_path = '' as $$
declare
  -- Never before now, so that nothing new lies behind a hint.
  v_run_at timestamptz := greatest(p_run_at, dibs.clock());
  v_task bigint := nextval('dibs.task_number');
begin
  if p_extras ?| array['unique_mode', 'unique_scope'] then perform dibs.await_turn(p_extras); end if;
  -- Lanes before keys, as put_tasks does: who waits for both must wait in the same order.
  insert into dibs.lane values ('', p_priority), (p_type, p_priority) on conflict do nothing;
  replaced := false;
  if p_unique_key is not null then
    if p_extras ?| array['unique_mode', 'unique_scope', 'unique_seconds'] then
      select k.id, k.replaced into id, replaced from dibs.take_key_as_told(p_type, p_unique_key, v_task,
        coalesce(p_payload, '{}'), p_priority, v_run_at, p_max_attempts, p_extras) k;
    else
      select holder into id from dibs.take_key(p_type, p_unique_key, v_task);
    end if;
    deduplicated := id is not null;
    if deduplicated then return; end if;
  end if;
  id := dibs.id_of(v_task, hashint8extended(v_task, (select seed from dibs.id_seed)));
  deduplicated := false;
  insert into dibs.log (id, type, payload, priority, run_at, max_attempts, unique_key)
    values (put_task.id, p_type, coalesce(p_payload, '{}'), p_priority, v_run_at, p_max_attempts, p_unique_key);
  if p_extras ?| array['key', 'order_key'] then perform dibs.note_keys(v_task, p_type, p_extras); end if;
  if p_extras ? 'depends_on' then
    if dibs.put_waiting(v_task, v_run_at, p_extras) then return; end if;
  end if;
  if p_extras ?| array['key', 'order_key'] then
    perform dibs.put_keyed(v_task, p_type, p_priority, v_run_at, p_extras,
      p_plain => p_unique_key is null and not p_extras ?| array['order_key', 'depends_on']);
  else
    insert into dibs.ready (type, priority, run_at, run, plain)
      values (p_type, p_priority, v_run_at, int8multirange(int8range(v_task, v_task + 1)), p_unique_key is null);
  end if;
end $$;
comment on function dibs.put_task(text, jsonb, int, timestamptz, int, text, jsonb) is
  'Write one task that was checked.';

create or replace function dibs.put_tasks(
    p_tasks jsonb, out ids uuid[], out deduplicated boolean[], out replaced boolean[])
  language plpgsql set search_path = '' as $$
declare
  v_size int;
  v_dependent boolean;
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
    v_dependent := p_tasks @? '$[*].depends_on';
    if v_dependent then perform dibs.one_at_a_time(p_single => true); end if;
    select * into ids, deduplicated, replaced from dibs.put_mixed_tasks(p_tasks);
    if v_dependent then perform dibs.depend('p_tasks[*]', p_tasks, ids, deduplicated); end if;
  else
    deduplicated := array_fill(false, array[v_size]);
    replaced := deduplicated;
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

create or replace function dibs.put_mixed_tasks(
    p_tasks jsonb, out ids uuid[], out deduplicated boolean[], out replaced boolean[])
  language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
  v_seed bigint := (select seed from dibs.id_seed);
  v_soonest timestamptz;
  v_types text[];
begin
  perform dibs.await_turn(t, p_alone => jsonb_array_length(p_tasks) > 1) from jsonb_array_elements(p_tasks) t
    where t ? 'unique_key' and t ?| array['unique_mode', 'unique_scope'];
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
    select i.place, made.id, made.deduplicated, made.replaced
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
  select array_agg(w.id), array_agg(w.known), array_agg(w.replaced),
      (select min(run_at) from kind), (select array_agg(type) from kind)
    into ids, deduplicated, replaced, v_soonest, v_types
  from (
    select u.id, u.known, u.replaced
    from (
      select place, k.id, k.deduplicated as known, k.replaced from keyed k
      union all select place, n.id, false, false from numbered n
    ) u
    order by place
  ) w;
  perform dibs.wake(v_soonest, v_types);
end $$;
comment on function dibs.put_mixed_tasks(jsonb) is
  'Any list: those tasks that are alike but for their payload go together as runs.';

select dibs.seal();
