-- What a worker reports about the things it was granted reads the same for thoughts and for tasks,
-- so it is read, and refused, in one place.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.read_outcomes(p_outcomes jsonb)
  returns table (ord int, id uuid, status text, error text, result jsonb, metadata jsonb, permanent boolean)
  language plpgsql immutable set search_path = '' as $$
begin
  if p_outcomes is null or p_outcomes = '[]' then return; end if;
  perform dibs.check_outcomes(p_outcomes);
  return query
    select (item.ordinality - 1)::int, (item.value ->> 'id')::uuid, item.value ->> 'status',
      left(item.value ->> 'error', 4000), nullif(item.value -> 'result', 'null'),
      nullif(item.value -> 'metadata', 'null'), coalesce((item.value ->> 'permanent')::boolean, false)
    from jsonb_array_elements(p_outcomes) with ordinality item;
end $$;
comment on function dibs.read_outcomes(jsonb) is
  'The outcomes of a settlement as rows, ord counting from 0. All or nothing:
PT400 with the path of the first bad field.';

create or replace function dibs.check_outcomes(p_outcomes jsonb) returns void
  language plpgsql immutable set search_path = '' as $$
declare
  v_ord bigint;
  v_problem text;
  v_usual boolean;
begin
  if jsonb_typeof(p_outcomes) <> 'array' then
    perform dibs.refuse('PT400', 'p_outcomes must be a list of outcomes',
      'Send [{"id": …, "status": "succeeded"}, …].');
  elsif jsonb_array_length(p_outcomes) > 1000 then
    perform dibs.refuse('PT400',
      'p_outcomes has ' || jsonb_array_length(p_outcomes) || ' outcomes, at most 1000 go in one call',
      'Settle the rest in a second call.');
  end if;

  -- The usual list is told to be good in one go; what is amiss with any other is found below.
  begin
    select coalesce(bool_and((
        value - '{id,status,error,result,metadata,permanent}'::text[] = '{}'
          and (value ->> 'id')::uuid::text = value ->> 'id'
          and value ->> 'status' in ('succeeded', 'failed', 'released')
          and coalesce(jsonb_typeof(value -> 'error'), 'null') in ('string', 'null')
          and coalesce(jsonb_typeof(value -> 'permanent'), 'null') in ('boolean', 'null')
          and coalesce(jsonb_typeof(value -> 'metadata'), 'null') in ('object', 'null')
          and (value ->> 'status' = 'succeeded' or coalesce(value ->> 'metadata', value ->> 'result') is null)
        ) is true), false) and count(distinct value ->> 'id') = count(*)
      into v_usual from jsonb_array_elements(p_outcomes);
    if v_usual then return; end if;
  exception when data_exception then
    null;
  end;
  -- One plain query: a function call for each outcome would cost more than the settlement itself.
  select ord, problem into v_ord, v_problem
  from (
    select ordinality - 1 as ord, case
      when jsonb_typeof(value) <> 'object' then ' must be an object'
      when value - '{id,status,error,result,metadata,permanent}'::text[] <> '{}'
        then ' must have no other fields than id, status, error, result, metadata, permanent'
      when coalesce(value ->> 'id', '') !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        then '.id must be a uuid'
      when coalesce(value ->> 'status', '') not in ('succeeded', 'failed', 'released')
        then '.status must be succeeded, failed or released'
      when jsonb_typeof(value -> 'error') not in ('string', 'null') then '.error must be text'
      when jsonb_typeof(value -> 'permanent') not in ('boolean', 'null')
        then '.permanent must be true or false'
      when jsonb_typeof(value -> 'metadata') not in ('object', 'null') then '.metadata must be an object'
      -- What would be dropped in silence is refused instead.
      when value ->> 'status' <> 'succeeded' and value ->> 'metadata' is not null
        then '.metadata goes with succeeded only'
      when value ->> 'status' <> 'succeeded' and value ->> 'result' is not null
        then '.result goes with succeeded only'
    end as problem
    from jsonb_array_elements(p_outcomes) with ordinality
  ) looked_at
  where problem is not null
  order by ord
  limit 1;
  if found then
    perform dibs.refuse('PT400', 'p_outcomes[' || v_ord || ']' || v_problem);
  end if;

  select max(ordinality) - 1 into v_ord
  from jsonb_array_elements(p_outcomes) with ordinality
  group by lower(value ->> 'id')
  having count(*) > 1
  limit 1;
  if found then
    perform dibs.refuse('PT400', 'p_outcomes[' || v_ord || '].id is named twice',
      'Report one outcome for each id.');
  end if;
end $$;
comment on function dibs.check_outcomes(jsonb) is
  'Refuse (PT400) a list with an outcome that is wrong in itself, or with two outcomes for one id.';

create or replace function dibs.check_rest(p_rest text) returns void
  language plpgsql immutable set search_path = '' as $$
begin
  if p_rest not in ('succeeded', 'failed', 'released') then
    perform dibs.refuse('PT400', 'p_rest must be succeeded, failed or released',
      'Leave it out to keep the rest leased.');
  end if;
end $$;
comment on function dibs.check_rest(text) is
  'Refuse (PT400) an outcome for the rest of a lease that is none. Null is fine: the rest stays leased.';

select dibs.seal();
