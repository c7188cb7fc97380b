-- Thoughts on which work failed for good, quarantined ones among them: seeing them page by page, and making them
-- claimable again, at a rate. What is redriven stays a failed row until it is due, as one that waits for a retry does;
-- then whoever claims next takes it away (250_reap_thoughts.sql).

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.failed_thoughts(
    p_work_type text, p_filter jsonb default '{}', p_limit int default 100, p_cursor text default null)
  returns table (
    thought_id uuid, attempts int, max_attempts int, error text, failed_at timestamptz, worker_id text, cursor text)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
  perform dibs.check_thought_filter(p_work_type, p_filter, p_may_be_empty => true),
    dibs.check_between('p_limit', p_limit, 1, 1000);
  if p_cursor !~ '^\d{1,18}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    perform dibs.refuse('PT400', 'p_cursor must be the cursor of a row', 'Send back that of the last row you got.');
  end if;
  return query execute format($query$
    select id, attempts, max_attempts, error, failed_at, worker_id,
      (extract(epoch from failed_at) * 1000000)::bigint || '-' || id
    from (%s) t where (failed_at, id) < ($1, $2)
    order by failed_at desc, id desc limit $3$query$, dibs.failed_thought_query(p_work_type, p_filter))
  using coalesce('epoch'::timestamptz + split_part(p_cursor, '-', 1)::bigint * interval '1 microsecond', 'infinity'),
    coalesce(substr(p_cursor, strpos(p_cursor, '-') + 1), 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid, p_limit;
end $$;
comment on function public.failed_thoughts(text, jsonb, int, text) is
  'Thoughts on which work of this type failed for good, the latest first: their attempts are used up (quarantined), or
the failure was said to be permanent.
p_filter: {ids?, error? (a LIKE pattern), failed_before?, failed_after?}, and may be empty. p_limit: at most so many,
1 to 1000. p_cursor: go on after the row that has it.
Errors: PT400 for bad input.';

create or replace function public.redrive_thoughts(
    p_work_type text, p_filter jsonb, p_per_second numeric default null, p_start timestamptz default null,
    p_dry_run boolean default true, p_limit int default 1000) returns jsonb
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_start timestamptz := greatest(p_start, dibs.clock());
  -- Those of a second become due together.
  v_together int := ceil(p_per_second);
  v_found uuid[];
  v_done uuid[];
  v_last timestamptz;
  v_answer jsonb;
begin
  perform dibs.check_thought_filter(p_work_type, p_filter), dibs.check_between('p_limit', p_limit, 1, 10000);
  if p_per_second not between 0.001 and 10000 then
    perform dibs.refuse('PT400', 'p_per_second must be between 0.001 and 10000',
      'Leave it out to let all run at once.');
  end if;
  if p_dry_run is not false then
    execute format($query$
      select jsonb_build_object('dry_run', true, 'thoughts', count(*), 'more', count(*) > 0,
        'sample', coalesce(jsonb_agg(id order by nth) filter (where nth <= 10), '[]'))
      from (select id, row_number() over () as nth from (%s) t) t$query$,
      dibs.failed_thought_query(p_work_type, p_filter)) into v_answer;
    return v_answer;
  end if;
  execute format('select array_agg(id order by failed_at, id) from (%s limit %L) t',
    dibs.failed_thought_query(p_work_type, p_filter), p_limit) into v_found;
  v_done := array(
    select c.thought_id from public.thought_work_claims c
    where c.thought_id = any (v_found) and c.work_type || '' = p_work_type
      and c.status || '' = 'failed' and c.retry_at is null
    order by uuid_send(c.thought_id) for update skip locked);
  with due as (
    select id, v_start + coalesce((row_number() over (order by nth) - 1) / v_together * v_together / p_per_second, 0)
      * interval '1 s' as at
    from unnest(v_found) with ordinality f(id, nth) where id = any (v_done)
  ), changed as (
    update public.thought_work_claims c set retry_at = due.at, attempt_count = 0
    from due where c.thought_id = any (array[due.id]) and c.work_type || '' = p_work_type
    returning c.retry_at
  )
  select max(retry_at) into v_last from changed;
  return jsonb_build_object('dry_run', false, 'thoughts', cardinality(v_done), 'last_run_at', v_last,
    'more', cardinality(v_found) = p_limit or cardinality(v_done) < cardinality(v_found),
    'sample', array(select unnest(v_found) intersect all select unnest(v_done) limit 10));
end $$;
comment on function public.redrive_thoughts(text, jsonb, numeric, timestamptz, boolean, int) is
  'Make thoughts on which work failed for good claimable again, as if never tried.
p_filter: as in failed_thoughts, one field of it at least; {"statuses": ["failed"]} means all. p_per_second: so many
become due each second, 0.001 to 10000, those that failed first coming first; null for all at once. p_start: when the
first is due; null for now. p_dry_run: false to do it; otherwise it is only told what would be done. p_limit: at most so
many in one call, 1 to 10000.
Returns {dry_run, thoughts: how many, sample: up to ten of their ids, more: whether some are left} and, if it was done,
last_run_at, when the last of them is due: the p_start of the next call.
Errors: PT400 for bad input, for an empty filter too.';

create or replace function dibs.check_thought_filter(
    p_work_type text, p_filter jsonb, p_may_be_empty boolean default false) returns void
  language plpgsql stable set search_path = '' as $$
declare
  v_field text;
begin
  perform dibs.check_label('p_work_type', p_work_type, 100);
  if p_filter is null or jsonb_typeof(p_filter) <> 'object' or p_filter = '{}' and not p_may_be_empty then
    perform dibs.refuse('PT400', 'p_filter must be an object with a field or more',
      'An empty one would mean all there is. To mean that say so: {"statuses": ["failed"]}.');
  end if;
  select key into v_field from jsonb_each(p_filter) where dibs.thought_condition(key, value) is null limit 1;
  if found then
    perform dibs.refuse('PT400',
      'p_filter.' || left(v_field, 100) || ' is not a field of a filter or has the wrong type',
      'Fields: ids (a list of 1 to 1000 uuids), error (a pattern as of LIKE, such as %timeout%), failed_before, '
      || 'failed_after (timestamps), statuses (["failed"]).');
  end if;
end $$;
comment on function dibs.check_thought_filter(text, jsonb, boolean) is
  'Refuse (PT400) a filter of thoughts that is empty or has a field that is unknown or wrong, naming it.';

create or replace function dibs.thought_condition(p_field text, p_value jsonb) returns text
  language plpgsql stable set search_path = '' as $$
declare
  v_text text := case jsonb_typeof(p_value) when 'string' then p_value #>> '{}' end;
begin
  return case
    when p_field = 'ids' and jsonb_typeof(p_value) = 'array' and jsonb_array_length(p_value) between 1 and 1000
      then format('c.thought_id = any (%L::uuid[])', dibs.texts_of(p_value)::uuid[])
    when p_field = 'statuses' and p_value = '["failed"]' then 'true'
    when p_field = 'failed_before' and dibs.is_moment(v_text) then format('c.finished_at < %L', v_text)
    when p_field = 'failed_after' and dibs.is_moment(v_text) then format('c.finished_at > %L', v_text)
    when p_field = 'error' and v_text > '' and dibs.is_pattern(v_text) then format('c.last_error like %L', v_text)
  end;
exception when data_exception then
  return null;
end $$;
comment on function dibs.thought_condition(text, jsonb) is
  'One field of a filter as a condition on claims, null when it is none.';

create or replace function dibs.failed_thought_query(p_work_type text, p_filter jsonb) returns text
  language plpgsql stable set search_path = '' as $$
begin
  return format($query$
    select c.thought_id as id, c.attempt_count as attempts, c.max_attempts, c.last_error as error,
      coalesce(c.finished_at, c.claimed_at) as failed_at, c.worker_id
    from public.thought_work_claims c
    where c.work_type = %L and c.status = 'failed' and c.retry_at is null and %s$query$, p_work_type,
    coalesce((
      select string_agg(dibs.thought_condition(key, value), ' and ' order by key) from jsonb_each(p_filter)), 'true'));
end $$;
comment on function dibs.failed_thought_query(text, jsonb) is
  'A filter that was checked as a query, to be executed, on the claims that failed for good.';

select dibs.seal();
