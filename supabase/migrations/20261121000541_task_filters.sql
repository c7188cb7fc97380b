-- Which tasks are meant: a filter says it, as a JSON object, the same for everything that is done to many at once.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.check_filter(p_filter jsonb, p_statuses text[], p_may_be_empty boolean default false)
  returns void
  language plpgsql stable set search_path = '' as $$
declare
  v_field text;
begin
  if p_filter is null or jsonb_typeof(p_filter) <> 'object' or p_filter = '{}' and not p_may_be_empty then
    perform dibs.refuse('PT400', 'p_filter must be an object with a field or more',
      'An empty one would mean all there is. To mean that say so: {"statuses": ' || to_jsonb(p_statuses)::text || '}.');
  end if;
  select key into v_field from jsonb_each(p_filter) where dibs.filter_condition(key, value, p_statuses) is null limit 1;
  if found then
    perform dibs.refuse('PT400',
      'p_filter.' || left(v_field, 100) || ' is not a field of a filter or has the wrong type',
      'Fields: types, ids (lists of 1 to 1000 texts), statuses (a list of ' || array_to_string(p_statuses, ', ')
      || '), created_before, created_after, run_before, run_after (timestamps), error (a pattern as of LIKE, such as '
      || '%timeout%), unique_key_prefix, key, order_key (texts), payload (an object that the payload contains).');
  end if;
end $$;
comment on function dibs.check_filter(jsonb, text[], boolean) is
  'Refuse (PT400) a filter that is empty or has a field that is unknown or wrong, naming it.
p_statuses: which a task may have here.';

create or replace function dibs.filter_condition(p_field text, p_value jsonb, p_statuses text[]) returns text
  language plpgsql stable set search_path = '' as $$
declare
  v_list boolean := jsonb_typeof(p_value) = 'array' and not jsonb_path_exists(p_value, '$[*] ? (@.type() <> "string")')
    and jsonb_array_length(p_value) between 1 and 1000;
  v_text text := case jsonb_typeof(p_value) when 'string' then p_value #>> '{}' end;
begin
  return case
    when p_field = 'types' and v_list then format('type = any (%L::text[])', dibs.texts_of(p_value))
    when p_field = 'statuses' and v_list and dibs.texts_of(p_value) <@ p_statuses
      then format('status = any (%L::text[])', dibs.texts_of(p_value))
    when p_field = 'ids' and v_list then format('id = any (%L::uuid[])', dibs.texts_of(p_value)::uuid[])
    when p_field = 'created_before' and dibs.is_moment(v_text) then format('created_at < %L', v_text)
    when p_field = 'created_after' and dibs.is_moment(v_text) then format('created_at > %L', v_text)
    when p_field = 'run_before' and dibs.is_moment(v_text) then format('run_at < %L', v_text)
    when p_field = 'run_after' and dibs.is_moment(v_text) then format('run_at > %L', v_text)
    when p_field = 'error' and v_text > '' and dibs.is_pattern(v_text) then format(
      '(select a.error from dibs.attempt a where a.task = dibs.task_of(id) order by a.n desc limit 1) like %L', v_text)
    when p_field = 'unique_key_prefix' and v_text > '' then format('starts_with(unique_key, %L)', v_text)
    when p_field in ('key', 'order_key') and v_text > '' then
      format('exists (select from dibs.task_key k where k.task = t.task and k.%I = %L)', p_field, v_text)
    when p_field = 'payload' and jsonb_typeof(p_value) = 'object' and p_value <> '{}'
      then format('payload @> %L', p_value)
  end;
exception when data_exception then
  return null;
end $$;
comment on function dibs.filter_condition(text, jsonb, text[]) is
  'One field of a filter as a condition on the rows of dibs.task_query, null when it is none.';

create or replace function dibs.is_pattern(p_text text) returns boolean
  language plpgsql immutable set search_path = '' as $$
begin
  -- The last backslash would escape nothing.
  return (length(p_text) - length(rtrim(p_text, '\'))) % 2 = 0;
end $$;
comment on function dibs.is_pattern(text) is 'Whether LIKE takes this for a pattern.';

create or replace function dibs.texts_of(p_list jsonb) returns text[]
  language plpgsql immutable set search_path = '' as $$
begin
  return array(select jsonb_array_elements_text(p_list));
end $$;
comment on function dibs.texts_of(jsonb) is 'A JSON list of texts as an array.';

create or replace function dibs.task_query(p_filter jsonb, p_statuses text[]) returns text
  language plpgsql stable set search_path = '' as $$
declare
  v_conditions text := coalesce((
    select string_agg(dibs.filter_condition(key, value, p_statuses), ' and ' order by key) from jsonb_each(p_filter)),
    'true');
  v_statuses text[] := case when p_filter ? 'statuses' then dibs.texts_of(p_filter -> 'statuses') else p_statuses end;
  v_runs text := 'true';
  v_waiting text := 'true';
begin
  -- What tells runs apart is told before their tasks are looked at.
  if p_filter ? 'types' then
    v_waiting := dibs.filter_condition('types', p_filter -> 'types', p_statuses);
  end if;
  if p_filter ? 'ids' then
    v_runs := format('lower(run) >> 7 = any (%L::bigint[])',
      array(select distinct dibs.task_of(id::uuid) >> 7 from jsonb_array_elements_text(p_filter -> 'ids') id));
  end if;
  return format($query$
    select * from (
      select w.status, w.at, coalesce(w.run_at, l.run_at) as run_at, dibs.task_of(l.id) as task, l.id, l.type,
        l.payload, l.priority, l.max_attempts, l.unique_key, l.created_at
      from (
          select 'pending' as status, run_at as at, run_at, run from dibs.ready
            where 'pending' = any (%1$L::text[]) and %2$s and %3$s
          union all select 'pending', run_at, run_at, run from dibs.gated
            where 'pending' = any (%1$L::text[]) and %2$s and %3$s
          union all select 'pending', run_at, run_at, run
            from (select run_at, int8multirange(int8range(task, task + 1)) as run from dibs.waiting) waiting
            where 'pending' = any (%1$L::text[]) and %3$s
          union all select 'processing', started_at, null, held from dibs.lease where 'processing' = any (%1$L::text[])
          union all select status, completed_at, null, run from dibs.outcome
            where status = any (%1$L::text[]) and status <> 'completed' and %3$s
        ) w,
        unnest(w.run) part,
        lateral (
          select * from dibs.log l
          where l.id >= encode(int8send(lower(part) << 16) || int8send(0), 'hex')::uuid
            and l.id < encode(int8send(upper(part) << 16) || int8send(0), 'hex')::uuid
          offset 0
        ) l
    ) t
    where %4$s$query$, v_statuses, v_waiting, v_runs, v_conditions);
end $$;
comment on function dibs.task_query(jsonb, text[]) is
  'A filter that was checked as a query, to be executed, on tasks that are pending, processing, failed or cancelled. Its
rows: status, at (since when: due, started or ended), run_at, task, id, type, payload, priority, max_attempts,
unique_key, created_at.';

select dibs.seal();
