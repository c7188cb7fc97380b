-- Claims on the rows of any source: what 450_thought_leases.sql is for thoughts. These functions know a source by its
-- name and call those that were made for it; that call is all that is put together while a claim is waited for.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

-- Claiming -----------------------------------------------------------------------------------------

create or replace function public.claim_rows(
  p_source text, p_work_type text, p_worker_id text, p_ids text[], p_lease_seconds int default 900,
  p_max_attempts int default 5, p_request_id text default null
) returns table (
  id text, fence text, attempt int, lease_expires_at timestamptz, lease_ms int, version text, "row" jsonb
)
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_rows text := dibs.source_rows(p_source);
  v_type text;
  v_before jsonb;
  v_fence bigint;
begin
  perform dibs.check_between('p_max_attempts', p_max_attempts, 1, 1000);
  if p_request_id is not null then v_before := dibs.recall('claim_rows', p_request_id); end if;
  v_fence := v_before;
  if v_before is null then
    v_type := dibs.check_keys(p_source, p_ids);
    execute format('select dibs.grant_named_%s($1::%s[], $2, $3, $4, $5, $6)', v_rows, v_type) into v_fence
      using p_ids, p_work_type, p_worker_id, 'p_lease_seconds', p_lease_seconds, p_max_attempts;
    if p_request_id is not null then
      perform dibs.remember('claim_rows', p_request_id, to_jsonb(coalesce(v_fence, 0)));
    end if;
  end if;
  return query execute format('select * from dibs.granted_rows_of_%s($1)', p_source) using v_fence;
end $$;
comment on function public.claim_rows(text, text, text, text[], int, int, text) is
  'Claim rows of a source by their ids, as text, for one kind of work.
Returns those this worker won, with the fence to renew and settle them by (renew_rows, settle_rows), the version that
was seen, and what the source tells of a row. A repeated request id returns what its grant still holds.
PT400 bad input (at most 1000 ids), PT503 too many claims at once.';

create or replace function public.claim_next_rows(
  p_source text, p_work_type text, p_worker_id text, p_limit int default 1, p_lease_seconds int default 900,
  p_max_attempts int default 5, p_request_id text default null
) returns table (
  id text, fence text, attempt int, lease_expires_at timestamptz, lease_ms int, version text, "row" jsonb
)
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_rows text := dibs.source_rows(p_source);
  v_before jsonb;
  v_fence bigint;
begin
  if p_request_id is not null then v_before := dibs.recall('claim_next_rows', p_request_id); end if;
  v_fence := v_before;
  if v_before is null then
    execute format('select dibs.grant_next_%s($1, $2, $3, $4, $5)', v_rows) into v_fence
      using p_work_type, p_worker_id, p_limit, p_lease_seconds, p_max_attempts;
    if p_request_id is not null then
      perform dibs.remember('claim_next_rows', p_request_id, to_jsonb(coalesce(v_fence, 0)));
    end if;
  end if;
  return query execute format('select * from dibs.granted_rows_of_%s($1)', p_source) using v_fence;
end $$;
comment on function public.claim_next_rows(text, text, text, int, int, int, text) is
  'Claim up to p_limit rows of a source that have no claim of this work type, and meet the filter of the source. Fewer
than asked for may also mean that another caller is searching: ask again. Over very many rows new and edited ones may
take a while to be found. Returns what claim_rows does.
PT400 bad input, PT503 too many claims at once.';

create or replace function public.settle_and_claim_rows(
  p_fence text, p_outcomes jsonb, p_rest text, p_work_type text, p_worker_id text, p_limit int,
  p_lease_seconds int default 900, p_max_attempts int default 5, p_request_id text default null
) returns json
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_of record := dibs.parse_row_fence(p_fence);
  v_done jsonb;
  v_fence bigint;
begin
  if p_request_id is not null then v_done := dibs.recall('settle_and_claim_rows', p_request_id); end if;
  if v_done is null then
    v_done := dibs.settle_source(v_of.source, v_of.fence, p_outcomes, p_rest);
    execute format('select dibs.grant_next_%s($1, $2, $3, $4, $5)', dibs.source_rows(v_of.source)) into v_fence
      using p_work_type, p_worker_id, p_limit, p_lease_seconds, p_max_attempts;
    v_done := v_done || jsonb_build_object('fence', v_fence);
    if p_request_id is not null then
      perform dibs.remember('settle_and_claim_rows', p_request_id, v_done);
    end if;
  end if;
  v_fence := v_done ->> 'fence';
  return dibs.rows_grant(v_of.source, v_fence, v_done - 'fence');
end $$;
comment on function public.settle_and_claim_rows(text, jsonb, text, text, text, int, int, int, text) is
  'settle_rows and claim_next_rows, of the same source, in one round trip and one transaction.
Returns {settled, lost, superseded, fence, lease_expires_at, lease_ms, rows: [{id, attempt, version, row}]};
nothing to claim: fence null, rows empty. A repeated request id settles nothing again and returns what its grant still
holds.
PT400 bad input, PT503 too many claims at once.';

-- Renewing and settling ----------------------------------------------------------------------------

create or replace function public.renew_rows(p_fence text, p_lease_seconds int default 900) returns setof text
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_of record := dibs.parse_row_fence(p_fence);
begin
  perform dibs.check_between('p_lease_seconds', p_lease_seconds, 1, 86400);
  return query execute format('select id::text from dibs.renew_%s($1, $2) id', dibs.source_rows(v_of.source))
    using v_of.fence, p_lease_seconds;
end $$;
comment on function public.renew_rows(text, int) is
  'Prolong a lease on rows: from now it lasts p_lease_seconds more.
Returns the ids still held. No row: the lease is lost, stop the work.
PT400 bad input.';

create or replace function public.settle_rows(
  p_fence text, p_outcomes jsonb default '[]', p_rest text default null, p_request_id text default null,
  out settled int, out lost text[], out superseded text[]
)
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_of record := dibs.parse_row_fence(p_fence);
  v_done jsonb := dibs.recall('settle_rows', p_request_id);
begin
  if v_done is null then
    v_done := dibs.settle_source(v_of.source, v_of.fence, p_outcomes, p_rest);
    perform dibs.remember('settle_rows', p_request_id, v_done);
  end if;
  settled := v_done ->> 'settled';
  lost := array(select jsonb_array_elements_text(v_done -> 'lost'));
  superseded := array(select jsonb_array_elements_text(v_done -> 'superseded'));
end $$;
comment on function public.settle_rows(text, jsonb, text, text) is
  'Report what came of rows that were claimed, as settle_lease does for tasks and thoughts.
p_outcomes: [{id, status, error?, permanent?}]; status is succeeded, failed or released. p_rest: what came of
everything else the lease holds; null leaves it leased. p_request_id: a repeat is answered the same.
Returns how many were settled; the named ids that were lost, because the lease no longer holds them; and those that were
superseded: the row has another version than the one that was claimed, so the outcome is none of it, and it can be
claimed again.
PT400 with the path of the bad field; then nothing was settled.';

create or replace function public.release_rows_for_worker(p_source text, p_work_type text, p_worker_id text) returns int
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_released int;
begin
  perform dibs.source_rows(p_source);
  if p_source = 'thoughts' then return public.release_claims_for_worker(p_work_type, p_worker_id); end if;
  execute format('select dibs.release_claims_for_worker_of_%s($1, $2)', p_source) into v_released
    using p_work_type, p_worker_id;
  return v_released;
end $$;
comment on function public.release_rows_for_worker(text, text, text) is
  'Hand back every open claim of a worker on rows of a source, so that others get them at once; burns no attempt. Null
work type: all of them.
Returns how many. PT400 when there is no such source.';

-- Failed rows --------------------------------------------------------------------------------------

create or replace function public.retry_failed_rows(p_source text, p_work_type text, p_ids text[] default null)
  returns int
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_retried int;
begin
  perform dibs.source_rows(p_source);
  execute format('select %s($1, $2::%s[])',
      case p_source when 'thoughts' then 'public.retry_failed_thoughts'
        else 'dibs.retry_failed_rows_of_' || p_source end,
      dibs.check_keys(p_source, p_ids)) into v_retried
    using p_work_type, p_ids;
  return v_retried;
end $$;
comment on function public.retry_failed_rows(text, text, text[]) is
  'Make failed rows of a source claimable now, as if never tried: those named, or (null) all of the work type.
Returns how many. PT400 bad input.';

select dibs.seal();
