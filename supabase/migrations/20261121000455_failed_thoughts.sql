-- Thoughts on which work failed: which ones nobody will get any more, and giving them another chance.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

select dibs.define_for_sources('455 failed', 'every source', $define$
create or replace function {api}.retry_failed_{thoughts}(p_work_type text, {ids} {type}[] default null)
  returns int
  language plpgsql set search_path = '' set enable_seqscan = off as $$
declare
  v_retried int;
begin
  perform dibs.check_ids{of}('{ids}', {ids});
  perform dibs.check_label('p_work_type', p_work_type, 100);
  with failed as materialized (
    select c.{id}
    from {claims} c
    where c.work_type = p_work_type and c.status = 'failed'
      and ({ids} is null or c.{id} = any ({ids}))
    order by c.{id}
    for update
  )
  delete from {claims} c
  using failed
  where c.{id} = failed.{id} and c.work_type = p_work_type;
  get diagnostics v_retried = row_count;
  return v_retried;
end $$;
comment on function {api}.retry_failed_{thoughts}(text, {type}[]) is
  'Make failed {thing}s, quarantined ones too, claimable now, as if never tried: those named, or (null) all of the
work type.
Returns how many.
PT400 bad input.';
$define$);

select dibs.define_for_sources('456 quarantined thoughts', 'thoughts', $define$
create or replace function public.quarantined_thoughts(p_work_type text)
  returns table (thought_id {type}, attempt_count int, last_error text, finished_at timestamptz)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select c.thought_id, c.attempt_count, c.last_error, c.finished_at
    from public.thought_work_claims c
    where c.work_type = p_work_type and c.status = 'failed' and c.retry_at is null
      and c.attempt_count >= c.max_attempts
    order by c.finished_at, c.thought_id;
end $$;
comment on function public.quarantined_thoughts(text) is
  'Thoughts whose attempts are used up; nobody gets them until retry_failed_thoughts.';
$define$);

select dibs.seal();
