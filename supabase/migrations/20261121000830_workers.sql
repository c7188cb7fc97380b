-- Who works, and who was called to: what an operator looks at first.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.workers()
  returns table (
    worker_id text, tasks bigint, rows bigint, works_on text[], since timestamptz, lease_expires_at timestamptz)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  -- By the index of open claims, which is as large as what is held.
  v_claims text := (
    select string_agg(format($sql$
      union all select worker_id, 0, count(*), jsonb_agg(distinct %L || ':' || work_type), min(claimed_at),
        min(ttl_expires_at)
      from public.%I where status = 'claimed' group by worker_id$sql$, name, dibs.claims_table(name)), '')
    from dibs.claim_source);
begin
  return query execute format($sql$
    select h.worker_id, sum(h.tasks)::bigint, sum(h.rows)::bigint,
      array(
        select distinct w collate "C"
        from jsonb_array_elements(jsonb_agg(h.works_on)) a, jsonb_array_elements_text(a) w order by 1),
      min(h.since), min(h.lease_expires_at)
    from (
      select worker_id, dibs.count_of(held)::bigint as tasks, 0::bigint as rows, case type
        when '' then (select jsonb_agg(distinct l.type) from dibs.log_of(held) l) else jsonb_build_array(type)
        end as works_on, started_at as since, expires_at as lease_expires_at
      from dibs.lease%s
    ) h
    group by h.worker_id order by min(h.lease_expires_at), h.worker_id$sql$, v_claims);
end $$;
comment on function public.workers() is
  'Who holds what now, the first lease to end first: how many tasks, how many rows of claim sources, thoughts among
them, on which types of tasks and kinds of work (source:work_type), since when the oldest of it is held, and when the
first lease of it ends. One that is over was not taken back yet. A worker that holds nothing is not known.';

create or replace function public.dispatches(p_limit int default 50)
  returns table (
    id text, reason text, state text, made_at timestamptz, planned_at timestamptz, problem text, types text[],
    drains int)
  language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set jit = off as $$
begin
  perform dibs.check_between('p_limit', p_limit, 1, 1000);
  return query
    select d.id::text, d.reason, d.state, d.made_at, d.planned_at, d.problem, d.types, d.drains
    from dibs.dispatch d order by d.id desc limit p_limit;
end $$;
comment on function public.dispatches(int) is
  'The latest calls to the dispatch function, newest first: why each was made, what became of it (planned, sent,
answered, refused, timed_out, lost) with its problem, when it arrived (planned_at, null: it did not), the types that
can be handled as it was told, and how many drains it wanted.
p_limit: at most so many, 1 to 1000. They stay for settings.keep_dispatches. Errors: PT400 for a bad p_limit.';

select dibs.seal();
