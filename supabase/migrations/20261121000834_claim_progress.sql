-- How far the work on the rows of each source is.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function public.claim_progress()
  returns table (
    source text, work_type text, total bigint, claimed bigint, succeeded bigint, failed bigint, unclaimed bigint,
    per_minute float8, seconds_left bigint)
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_source dibs.claim_source;
begin
  for v_source in select * from dibs.claim_source order by name <> 'thoughts', name loop
    return query execute format('select $1, * from dibs.progress_of_%s($2)', dibs.source_rows(v_source.name))
      using v_source.name, dibs.estimated_count(case v_source.name
        when 'thoughts' then 'select from public.thoughts'
        else format('select from dibs.rows_of_%s where wanted', v_source.name) end);
  end loop;
end $$;
comment on function public.claim_progress() is
  'How far the rows of each source, thoughts among them, are for each kind of work that has claims: how many rows there
are (total), are held, are done, failed, and have no claim. claimed is exact. succeeded and failed of a large table are
those of the last count, which a tick makes now and then. total is exact up to 10000 rows and an estimate of the
planner''s above, and with it unclaimed.
per_minute: how many ended in a minute, of those whose claims are there, over the last ten minutes or since the work
began if that is later; null when none did. seconds_left: how long all that is unclaimed or held takes at that pace;
null with it.';

create or replace function dibs.estimated_count(p_query text) returns bigint
  -- The count ends early; an index would only cost more.
  language plpgsql set search_path = '' set enable_seqscan = on as $$
declare
  v_count bigint;
  v_plan json;
begin
  execute format('select count(*) from (%s limit 10001) counted', p_query) into v_count;
  if v_count <= 10000 then return v_count; end if;
  execute 'explain (format json) ' || p_query into v_plan;
  return greatest(v_count, (v_plan -> 0 -> 'Plan' ->> 'Plan Rows')::bigint);
end $$;
comment on function dibs.estimated_count(text) is
  'How many rows a query has: up to 10000 they are counted, beyond that the planner is asked.';

select dibs.define_for_sources('834 progress', 'every source', $define$
create or replace function dibs.progress_of_{thoughts}(p_total bigint)
  returns table (
    work_type text, total bigint, claimed bigint, succeeded bigint, failed bigint, unclaimed bigint,
    per_minute float8, seconds_left bigint)
  language plpgsql stable set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
begin
  return query
    select n.work_type, p_total, n.claimed, n.succeeded, n.failed, left_over.unclaimed, pace.per_minute,
      ceil((left_over.unclaimed + n.claimed) / pace.per_minute * 60)::bigint
    from dibs.claim_counts('{source}') n
      cross join lateral (select greatest(p_total - n.claimed - n.succeeded - n.failed, 0) as unclaimed) left_over
      left join lateral (
        -- By the ends of leases, of which there is an index: none that ended lately had a lease that ended long ago.
        select count(*) * 60 / nullif(extract(epoch from
          least(v_now - min(c.claimed_at), interval '10 minutes')), 0)::float8 as per_minute
        from unnest(array['succeeded', 'failed']) s, lateral (
          select c.claimed_at from {claims} c
          where c.work_type = n.work_type and c.status = s and c.ttl_expires_at > v_now - interval '10 minutes'
            and c.finished_at > v_now - interval '10 minutes'
          offset 0
        ) c
        having count(*) > 0
      ) pace on true;
end $$;
comment on function dibs.progress_of_{thoughts}(bigint) is
  'How far the {thing}s are, so many in all, for each kind of work that has claims.';
$define$);

select dibs.seal();
