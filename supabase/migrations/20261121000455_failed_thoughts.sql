-- Thoughts on which work failed: which ones nobody will get any more, and giving them another chance.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.retry_failed_thoughts(p_work_type text, p_thought_ids uuid[] default null)
  returns int
  language plpgsql set search_path = '' set enable_seqscan = off as $$
declare
  v_retried int;
begin
  perform dibs.check_ids('p_thought_ids', p_thought_ids);
  perform dibs.check_label('p_work_type', p_work_type, 100);
  with failed as materialized (
    select c.thought_id
    from public.thought_work_claims c
    where c.work_type = p_work_type and c.status = 'failed'
      and (p_thought_ids is null or c.thought_id = any (p_thought_ids))
    order by c.thought_id
    for update
  )
  delete from public.thought_work_claims c
  using failed
  where c.thought_id = failed.thought_id and c.work_type = p_work_type;
  get diagnostics v_retried = row_count;
  return v_retried;
end $$;
comment on function public.retry_failed_thoughts(text, uuid[]) is
  'Make failed thoughts, quarantined ones too, claimable now, as if never tried: those named, or (null) all of the
work type.
Returns how many.
PT400 bad input.';

create or replace function public.quarantined_thoughts(p_work_type text)
  returns table (thought_id uuid, attempt_count int, last_error text, finished_at timestamptz)
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

select dibs.seal();
