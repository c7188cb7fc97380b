-- Rows of any source on which work failed for good, quarantined ones among them: seeing them page by page, and making
-- them claimable again, at a rate. What is redriven stays a failed claim until it is due, as one that waits for a retry
-- does; then whoever claims next takes it away (250_reap_thoughts.sql).

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

-- It told less.
drop function if exists public.failed_rows(text, text);

create or replace function public.failed_rows(
    p_source text, p_work_type text, p_filter jsonb default '{}', p_limit int default 100, p_cursor text default null)
  returns table (
    id text, attempts int, max_attempts int, error text, failed_at timestamptz, worker_id text, cursor text)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
  perform dibs.check_row_filter(p_source, p_work_type, p_filter, p_may_be_empty => true),
    dibs.check_between('p_limit', p_limit, 1, 1000);
  if p_cursor !~ '^\d{1,18}-' then
    perform dibs.refuse('PT400', 'p_cursor must be the cursor of a row', 'Send back that of the last row you got.');
  end if;
  return query execute format($query$
    select id, attempts, max_attempts, error, failed_at, worker_id,
      (extract(epoch from failed_at) * 1000000)::bigint || '-' || id
    from (%s) t where $1 is null or failed_at < $1 or failed_at = $1 and id collate "C" < $2
    order by failed_at desc, id collate "C" desc limit $3$query$,
    dibs.failed_row_query(p_source, p_work_type, p_filter))
  using 'epoch'::timestamptz + split_part(p_cursor, '-', 1)::bigint * interval '1 microsecond',
    substr(p_cursor, strpos(p_cursor, '-') + 1), p_limit;
end $$;
comment on function public.failed_rows(text, text, jsonb, int, text) is
  'Rows of a source, thoughts or another, on which work of this type failed for good, the latest first: their attempts
are used up (quarantined), or the failure was said to be permanent.
p_filter: {ids?, error? (a LIKE pattern), failed_before?, failed_after?}, and may be empty. p_limit: at most so many,
1 to 1000. p_cursor: go on after the row that has it.
Errors: PT400 for bad input.';

create or replace function public.redrive_rows(
    p_source text, p_work_type text, p_filter jsonb, p_per_second numeric default null,
    p_start timestamptz default null, p_dry_run boolean default true, p_limit int default 1000) returns jsonb
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_query text;
  v_found text[];
  v_done text[];
  v_last timestamptz;
  v_answer jsonb;
begin
  perform dibs.check_row_filter(p_source, p_work_type, p_filter), dibs.check_between('p_limit', p_limit, 1, 10000);
  if p_per_second not between 0.001 and 10000 then
    perform dibs.refuse('PT400', 'p_per_second must be between 0.001 and 10000',
      'Leave it out to let all run at once.');
  end if;
  v_query := dibs.failed_row_query(p_source, p_work_type, p_filter);
  if p_dry_run is not false then
    execute format($query$
      select jsonb_build_object('dry_run', true, 'rows', count(*), 'more', count(*) > 0,
        'sample', coalesce(jsonb_agg(id order by nth) filter (where nth <= 10), '[]'))
      from (select id, row_number() over () as nth from (%s) t) t$query$, v_query) into v_answer;
    return v_answer;
  end if;
  execute format('select array_agg(id order by failed_at, id) from (%s order by failed_at, id limit %L) t',
    v_query, p_limit) into v_found;
  execute format('select * from dibs.redrive_%s($1, $2, $3, $4)', dibs.source_rows(p_source)) into v_done, v_last
    using p_work_type, v_found, greatest(p_start, dibs.clock()), p_per_second;
  return jsonb_build_object('dry_run', false, 'rows', cardinality(v_done), 'last_run_at', v_last,
    'more', cardinality(v_found) = p_limit or cardinality(v_done) < cardinality(v_found),
    'sample', coalesce(to_jsonb(v_done[1:10]), '[]'));
end $$;
comment on function public.redrive_rows(text, text, jsonb, numeric, timestamptz, boolean, int) is
  'Make rows of a source on which work failed for good claimable again, as if never tried.
p_filter: as in failed_rows, one field of it at least; {"statuses": ["failed"]} means all. p_per_second: so many become
due each second, 0.001 to 10000, those that failed first coming first; null for all at once. p_start: when the first is
due; null for now. p_dry_run: false to do it; otherwise it is only told what would be done. p_limit: at most so many in
one call, 1 to 10000.
Returns {dry_run, rows: how many, sample: up to ten of their ids, more: whether some are left} and, if it was done,
last_run_at, when the last of them is due: the p_start of the next call.
Errors: PT400 for bad input, for an empty filter too.';

select dibs.define_for_sources('457 redriving', 'every source', $define$
create or replace function dibs.redrive_{thoughts}(
    p_work_type text, p_ids text[], p_start timestamptz, p_per_second numeric, out done text[], out last timestamptz)
  language plpgsql set search_path = '' as $$
declare
  v_ids {type}[] := p_ids;
  -- Those of a second become due together.
  v_together int := ceil(p_per_second);
begin
  v_ids := array(
    select c.{id} from {claims} c
    where c.{id} = any (v_ids) and c.work_type || '' = p_work_type
      and c.status || '' = 'failed' and c.retry_at is null
    order by {send}(c.{id}) for update skip locked);
  with due as (
    select id::{type} as id, nth, p_start
      + coalesce((row_number() over (order by nth) - 1) / v_together * v_together / p_per_second, 0) * interval '1 s'
      as at
    from unnest(p_ids) with ordinality f (id, nth) where id::{type} = any (v_ids)
  ), changed as (
    update {claims} c set retry_at = due.at, attempt_count = 0
    from due where c.{id} = any (array[due.id]) and c.work_type || '' = p_work_type
    returning c.{id} as id, c.retry_at, due.nth
  )
  select array_agg(id::text order by nth), max(retry_at) into done, last from changed;
  done := coalesce(done, '{}');
end $$;
comment on function dibs.redrive_{thoughts}(text, text[], timestamptz, numeric) is
  'Let failed {thing}s be claimed again, so many becoming due each second, in this order; what others have locked stays
as it is. Returns which, and when the last is due.';
$define$);

-- Which rows are meant -----------------------------------------------------------------------------

create or replace function dibs.check_row_filter(
    p_source text, p_work_type text, p_filter jsonb, p_may_be_empty boolean default false) returns void
  language plpgsql stable set search_path = '' as $$
declare
  v_field text;
begin
  perform dibs.source_rows(p_source), dibs.check_label('p_work_type', p_work_type, 100);
  if p_filter is null or jsonb_typeof(p_filter) <> 'object' or p_filter = '{}' and not p_may_be_empty then
    perform dibs.refuse('PT400', 'p_filter must be an object with a field or more',
      'An empty one would mean all there is. To mean that say so: {"statuses": ["failed"]}.');
  end if;
  select key into v_field from jsonb_each(p_filter) where dibs.row_condition(p_source, key, value) is null limit 1;
  if found then
    perform dibs.refuse('PT400',
      'p_filter.' || left(v_field, 100) || ' is not a field of a filter or has the wrong type',
      'Fields: ids (a list of 1 to 1000 ids), error (a pattern as of LIKE, such as %timeout%), failed_before, '
      || 'failed_after (timestamps), statuses (["failed"]).');
  end if;
end $$;
comment on function dibs.check_row_filter(text, text, jsonb, boolean) is
  'Refuse (PT400) a filter of rows that is empty or has a field that is unknown or wrong, naming it.';

create or replace function dibs.row_condition(p_source text, p_field text, p_value jsonb) returns text
  language plpgsql stable set search_path = '' as $$
declare
  v_text text := case jsonb_typeof(p_value) when 'string' then p_value #>> '{}' end;
  v_type text := (select dibs.key_type(s) from dibs.claim_source s where s.name = p_source);
begin
  return case
    when p_field = 'ids' then case
      when jsonb_typeof(p_value) = 'array' and jsonb_array_length(p_value) between 1 and 1000
        and (select bool_and(dibs.is_key(id, v_type)) from unnest(dibs.texts_of(p_value)) id)
      then format('id = any (%L::text[])', dibs.texts_of(p_value)) end
    when p_field = 'statuses' and p_value = '["failed"]' then 'true'
    when p_field = 'failed_before' and dibs.is_moment(v_text) then format('failed_at < %L', v_text)
    when p_field = 'failed_after' and dibs.is_moment(v_text) then format('failed_at > %L', v_text)
    when p_field = 'error' and v_text > '' and dibs.is_pattern(v_text) then format('error like %L', v_text)
  end;
end $$;
comment on function dibs.row_condition(text, text, jsonb) is
  'One field of a filter as a condition on the rows of dibs.given_up_…, null when it is none.';

create or replace function dibs.failed_row_query(p_source text, p_work_type text, p_filter jsonb) returns text
  language plpgsql stable set search_path = '' as $$
begin
  return format('select * from dibs.given_up_%s(%L) t where %s', dibs.source_rows(p_source), p_work_type,
    coalesce((
      select string_agg(dibs.row_condition(p_source, key, value), ' and ' order by key) from jsonb_each(p_filter)),
      'true'));
end $$;
comment on function dibs.failed_row_query(text, text, jsonb) is
  'A filter that was checked as a query, to be executed, on the claims that failed for good.';

select dibs.define_for_sources('458 given up', 'every source', $define$
create or replace function dibs.given_up_{thoughts}(p_work_type text)
  returns table (
    id text, attempts int, max_attempts int, error text, failed_at timestamptz, worker_id text)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select c.{id}::text, c.attempt_count, c.max_attempts, c.last_error, coalesce(c.finished_at, c.claimed_at),
      c.worker_id
    from {claims} c
    where c.work_type = p_work_type and c.status = 'failed' and c.retry_at is null{blocks};
end $$;
comment on function dibs.given_up_{thoughts}(text) is '{thing}s on which work failed for good.';
$define$);

select dibs.seal();
