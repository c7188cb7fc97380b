-- Traces: on whose behalf a task was enqueued, in the words of W3C Trace Context.
--
-- A call to enqueue_tasks that is traced leaves its context here, a row for each page of what it made. Claims know
-- nothing of it: a worker that traces asks for it, by the fence of what it was granted. So tasks without a trace cost
-- nothing, and those with one are claimed and settled like all others.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create table if not exists dibs.trace (
  run int8multirange not null,
  traceparent text not null
);
comment on table dibs.trace is
  'The trace context in which tasks were enqueued, where the caller gave one. Written once, deleted with its tasks.';
do $$
begin
  if to_regclass('dibs.trace_by_page') is null then
    create index trace_by_page on dibs.trace ((lower(run) >> 7));
  end if;
end $$;

create or replace function dibs.note_trace(p_traceparent text, p_ids uuid[], p_deduplicated boolean[]) returns void
  language plpgsql set search_path = '' as $$
begin
  if p_traceparent !~ '^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$' then
    perform dibs.refuse('PT400', 'p_traceparent must be a traceparent of W3C Trace Context, version 00',
      'Such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.');
  end if;
  insert into dibs.trace (run, traceparent)
    select run, p_traceparent
    from dibs.runs_of((
      select range_agg(int8range(dibs.task_of(made.id), dibs.task_of(made.id) + 1))
      from unnest(p_ids, p_deduplicated) made(id, deduplicated) where not made.deduplicated)) run;
end $$;
comment on function dibs.note_trace(text, uuid[], boolean[]) is
  'Note the trace context of new tasks; those that were there before keep theirs.
Errors: PT400 when it is none.';

create or replace function public.task_traces(p_fence text) returns table (id uuid, traceparent text)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_held int8multirange := (select l.held from dibs.lease l where l.fence = dibs.parse_fence(p_fence));
  v_seed bigint := (select seed from dibs.id_seed);
begin
  return query
    select dibs.id_of(n.task, hashint8extended(n.task, v_seed)), t.traceparent
    from dibs.runs_of(v_held) held,
      lateral (select * from dibs.trace t where lower(t.run) >> 7 = lower(held) >> 7 and t.run && held offset 0) t,
      unnest(t.run * held) part,
      lateral (select generate_series(lower(part), upper(part) - 1) as task) n;
end $$;
comment on function public.task_traces(text) is
  'In which trace context the tasks of a lease were enqueued: a row, {id, traceparent}, for each that has one.
traceparent: as W3C Trace Context writes it. p_fence: of claim_tasks. No rows for a lease that is over.
Errors: PT400 when it is no fence.';

create or replace function dibs.forget_traces(p_tasks int8multirange) returns void
  language plpgsql set search_path = '' as $$
begin
  if not exists (select from dibs.trace) then return; end if;
  delete from dibs.trace where ctid = any (array(
    select t.at from dibs.runs_of(p_tasks) r, lateral (
      select ctid as at, run from dibs.trace where lower(run) >> 7 = lower(r) >> 7 and run && r offset 0) t
    where not exists (select from dibs.log_of(t.run))));
end $$;
comment on function dibs.forget_traces(int8multirange) is
  'Delete the traces of tasks that were deleted, once no other of the same call and page is left.';

select dibs.seal();
