-- What a worker reports about the things it was granted reads the same for thoughts and for tasks,
-- so it is read, and refused, in one place.

create or replace function dibs.read_outcomes(p_outcomes jsonb)
  returns table (ord int, id uuid, status text, error text, result jsonb, metadata jsonb, permanent boolean)
  language plpgsql immutable set search_path = '' as $$
begin
  if p_outcomes is null then return; end if;
  if jsonb_typeof(p_outcomes) <> 'array' then
    perform dibs.refuse('PT400', 'p_outcomes must be a list of outcomes', 'Send [{"id": …, "status": "succeeded"}, …].');
  elsif jsonb_array_length(p_outcomes) > 1000 then
    perform dibs.refuse('PT400', 'p_outcomes has ' || jsonb_array_length(p_outcomes) || ' outcomes, at most 1000 go in one call',
      'Settle the rest in a second call.');
  end if;
  perform dibs.check_outcomes(p_outcomes);
  return query
    select (item.ordinality - 1)::int, (item.value ->> 'id')::uuid, item.value ->> 'status',
      dibs.clean_error(item.value ->> 'error'), item.value -> 'result',
      nullif(item.value -> 'metadata', 'null'), coalesce((item.value ->> 'permanent')::boolean, false)
    from jsonb_array_elements(p_outcomes) with ordinality item;
end $$;
comment on function dibs.read_outcomes(jsonb) is
  'The outcomes of a settlement as rows, ord counting from 0. All or nothing: PT400 with the path of the first bad field.';

create or replace function dibs.check_outcomes(p_outcomes jsonb) returns void
  language plpgsql immutable set search_path = '' as $$
declare
  v_ord bigint;
  v_problem text;
begin
  select item.ordinality - 1, problem into v_ord, v_problem
  from jsonb_array_elements(p_outcomes) with ordinality item,
    lateral dibs.outcome_problem(item.value) problem
  where problem is not null
  order by 1
  limit 1;
  if found then
    perform dibs.refuse('PT400', 'p_outcomes[' || v_ord || ']' || v_problem);
  end if;

  select max(item.ordinality) - 1 into v_ord
  from jsonb_array_elements(p_outcomes) with ordinality item
  group by lower(item.value ->> 'id')
  having count(*) > 1
  limit 1;
  if found then
    perform dibs.refuse('PT400', 'p_outcomes[' || v_ord || '].id is named twice', 'Report one outcome for each id.');
  end if;
end $$;
comment on function dibs.check_outcomes(jsonb) is
  'Refuse (PT400) a list with an outcome that is wrong in itself, or with two for the same id.';

create or replace function dibs.outcome_problem(p_outcome jsonb) returns text
  language plpgsql immutable set search_path = '' as $$
declare
  v_status text;
  v_unknown text;
begin
  if jsonb_typeof(p_outcome) <> 'object' then return ' must be an object'; end if;
  select key into v_unknown from jsonb_object_keys(p_outcome) key
  where key not in ('id', 'status', 'error', 'result', 'metadata', 'permanent')
  limit 1;
  v_status := p_outcome ->> 'status';
  return case
    when v_unknown is not null
      then ' has a field that outcomes do not have; they have id, status, error, result, metadata, permanent'
    when coalesce(p_outcome ->> 'id', '') !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then '.id must be a uuid'
    when v_status is null or v_status not in ('succeeded', 'failed', 'released')
      then '.status must be succeeded, failed or released'
    when coalesce(jsonb_typeof(p_outcome -> 'error'), 'null') not in ('string', 'null') then '.error must be text'
    when coalesce(jsonb_typeof(p_outcome -> 'permanent'), 'null') not in ('boolean', 'null')
      then '.permanent must be true or false'
    when coalesce(jsonb_typeof(p_outcome -> 'metadata'), 'null') not in ('object', 'null')
      then '.metadata must be an object'
    -- What would be dropped in silence is refused instead.
    when v_status <> 'succeeded' and coalesce(jsonb_typeof(p_outcome -> 'metadata'), 'null') <> 'null'
      then '.metadata goes with status succeeded only'
    when v_status <> 'succeeded' and coalesce(jsonb_typeof(p_outcome -> 'result'), 'null') <> 'null'
      then '.result goes with status succeeded only'
  end;
end $$;
comment on function dibs.outcome_problem(jsonb) is
  'What is wrong with one outcome, as the end of a message that begins with its path; null when nothing is.';

create or replace function dibs.check_rest(p_rest text) returns void
  language plpgsql immutable set search_path = '' as $$
begin
  if p_rest not in ('succeeded', 'failed', 'released') then
    perform dibs.refuse('PT400', 'p_rest must be succeeded, failed or released', 'Leave it out to keep the rest leased.');
  end if;
end $$;
comment on function dibs.check_rest(text) is
  'Refuse (PT400) an outcome for the rest of a lease that is none. Null is fine: the rest stays leased.';
