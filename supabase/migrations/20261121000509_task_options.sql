-- What a task may say of itself when it is enqueued, and whether that will do.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

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

-- Before there were extras it returned one column less.
do $$
begin
  if pg_get_function_arguments(to_regprocedure('dibs.options_of(bigint, jsonb)')) !~ 'extras' then
    drop function dibs.options_of(bigint, jsonb);
  end if;
end $$;

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
  if extras is not null then
    perform dibs.check_extras(v_path, extras), dibs.check_unique(v_path, p_options ->> 'unique_key', extras);
  end if;
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
      when key = 'depends_on' then dibs.is_depends_on(value)
      when key = 'depends_mode' then value in ('"all"', '"any"')
      when key = 'on_parent_failure' then value in ('"cancel"', '"run"', '"wait"')
      when key like 'unique\_%' then dibs.is_unique_option(key, value)
      when key in ('key', 'order_key') then dibs.is_label(value, 200)
      else false end
    limit 1;
  if found then
    perform dibs.refuse('PT400', p_path || '.' || v_field || ' is not a field of a task or has the wrong type',
      'Fields: type, unique_key (text), payload (any), priority, max_attempts (whole numbers), run_at (a timestamp), '
      || 'unique_mode (return_existing, reject, replace or debounce), unique_scope (unfinished or pending), '
      || 'unique_seconds (1 to 31536000), unique_merge (true or false), '
      || 'depends_on (at most 1000 ids of tasks, or places of earlier tasks of the list), depends_mode (all or any), '
      || 'on_parent_failure (cancel, run or wait), key, order_key (text of 1 to 200 printable characters).');
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

select dibs.seal();
