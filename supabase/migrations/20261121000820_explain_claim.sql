-- Why a row of a source is not being worked on, for one kind of work: as explain_task does for tasks.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

do $$
begin
  if to_regtype('dibs.claim_facts') is null then
    create type dibs.claim_facts as (
      id text, work_type text, known boolean, wanted boolean, status text, worker_id text, claimed_at timestamptz,
      ttl_expires_at timestamptz, finished_at timestamptz, retry_at timestamptz, attempts int, max_attempts int,
      last_error text, last_grant_at timestamptz, search_rests_until timestamptz, key text);
  end if;
end $$;
comment on type dibs.claim_facts is
  'What there is to know about a row and one kind of work on it. wanted: the filter of its source lets it
pass. status null: it has no claim. attempts: those of claims that are gone, where it has none. key: whose it is.';

create or replace function public.explain_claim(p_source text, p_id text, p_work_type text)
  returns table (state text, reason text, detail jsonb, until timestamptz, what_would_change_it text)
  language plpgsql stable set search_path = '' as $$
declare
  v_claim dibs.claim_facts;
  v_why dibs.explanation;
begin
  perform dibs.check_label('p_work_type', p_work_type, 100);
  v_claim := dibs.claim_facts_of(p_source, p_id, p_work_type);
  -- The first that says something is the reason, as in explain_task.
  v_why := coalesce(
    dibs.why_no_row(v_claim),
    dibs.why_held(v_claim),
    dibs.why_claim_ended(v_claim),
    dibs.why_unwanted(v_claim),
    dibs.why_kept_back(p_source, p_work_type, v_claim.key),
    dibs.why_not_claimed(v_claim));
  return query select v_why.*;
end $$;
comment on function public.explain_claim(text, text, text) is
  'Why a row is not being worked on, for one kind of work.
p_source: thoughts, or the name of another source. p_id: of the row, as text.
One row: its state (unclaimed, claimed, succeeded, failed, unknown); the reason; what there is to know about that; until
when that is so at most, null when nobody can tell; and what would change it.
reason: unknown, leased, lease_expired, done, backoff, quarantined, failed, filter, paused, rate, limit, search_rests,
next, nobody_asked.
Errors: PT400 for a source that there is not, or an id that is none.';

create or replace function dibs.claim_facts_of(p_source text, p_id text, p_work_type text) returns dibs.claim_facts
  language plpgsql stable set search_path = '' as $$
declare
  v_rows text := dibs.source_rows(p_source);
  v_type text := (select dibs.key_type(s) from dibs.claim_source s where s.name = p_source);
  v_facts dibs.claim_facts;
begin
  if p_id is null or not dibs.is_key(p_id, v_type) then
    perform dibs.refuse('PT400', 'p_id must be ' || dibs.key_words(v_type));
  end if;
  execute format('select * from dibs.claim_facts_of_%s($1::%s, $2)', v_rows, v_type) into v_facts
    using p_id, p_work_type;
  return v_facts;
end $$;
comment on function dibs.claim_facts_of(text, text, text) is
  'What there is to know about a row of a source and one kind of work on it. PT400 for an unknown source or a bad id.';

select dibs.define_for_sources('820 facts', 'every source', $define$
create or replace function dibs.claim_facts_of_{thoughts}(p_id {type}, p_work_type text) returns dibs.claim_facts
  language plpgsql stable set search_path = '' as $$
declare
  v_facts dibs.claim_facts;
  v_pass {pass};
begin
  select p_id, p_work_type, exists (select from {table} t where t.{key} = p_id),
      exists (select from unnest(array[p_id]) wanted (id){wanted}), c.status, c.worker_id, c.claimed_at,
      c.ttl_expires_at, c.finished_at, c.retry_at, coalesce(c.attempt_count, m.attempts, 0), c.max_attempts,
      coalesce(c.last_error, m.last_error)
    into v_facts
    from (select) once
    left join lateral (
      select * from {claims} c where c.{id} = p_id and c.work_type = p_work_type{blocks}) c on true
    left join {attempt} m on m.{id} = p_id and m.work_type = p_work_type;
  -- By the ends of leases, of which there is an index; the last to end began last, mostly.
  v_facts.last_grant_at := (
    select max(latest.claimed_at)
    from unnest(array['claimed', 'succeeded', 'failed']) status,
      lateral (
        select c.claimed_at from {claims} c
        where c.work_type = p_work_type and c.status = status order by c.ttl_expires_at desc limit 1
      ) latest);
  v_facts.key := coalesce(dibs.key_of_{thoughts}(p_id), '');
  select * into v_pass from {pass} p where p.work_type = p_work_type;
  if dibs.pass_rests{of}(v_pass) then
    v_facts.search_rests_until := dibs.clock() + (dibs.search_debt{of}(v_pass) - interval '1 s') * 20;
  end if;
  return v_facts;
end $$;
comment on function dibs.claim_facts_of_{thoughts}({type}, text) is
  'What there is to know about a {thing} and one kind of work on it. A claim that ended for another version of it is
none.';
$define$);

-- Reasons, in the order in which they are looked at ------------------------------------------------

create or replace function dibs.why_no_row(p_claim dibs.claim_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
begin
  if p_claim.known then return null; end if;
  return row('unknown', 'unknown', jsonb_build_object('id', p_claim.id), null,
    'Nothing: there is no such row.')::dibs.explanation;
end $$;
comment on function dibs.why_no_row(dibs.claim_facts) is 'Whether there is no such row.';

create or replace function dibs.why_held(p_claim dibs.claim_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_expired boolean := p_claim.ttl_expires_at <= dibs.clock();
begin
  if p_claim.status is distinct from 'claimed' then return null; end if;
  return row('claimed', case when v_expired then 'lease_expired' else 'leased' end,
    jsonb_build_object('worker_id', p_claim.worker_id, 'claimed_at', p_claim.claimed_at, 'attempt', p_claim.attempts),
    p_claim.ttl_expires_at,
    case when v_expired then 'The next claim of this work type or tick takes it back; it can then be claimed again.'
      else 'It is being worked on. Its worker settles it, or the lease runs out. release_claims_for_worker takes it '
        || 'from a worker that is gone.' end)::dibs.explanation;
end $$;
comment on function dibs.why_held(dibs.claim_facts) is
  'Whether a worker holds it, or held it and was not heard of again.';

create or replace function dibs.why_claim_ended(p_claim dibs.claim_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_reason text := case
    when p_claim.status = 'succeeded' then 'done'
    when p_claim.retry_at is not null then 'backoff'
    when p_claim.attempts >= p_claim.max_attempts then 'quarantined'
    else 'failed' end;
begin
  if p_claim.status is null then return null; end if;
  return row(p_claim.status, v_reason,
    jsonb_strip_nulls(jsonb_build_object('worker_id', p_claim.worker_id, 'ended_at', p_claim.finished_at,
      'attempts', p_claim.attempts, 'max_attempts', p_claim.max_attempts, 'error', p_claim.last_error)),
    p_claim.retry_at,
    case v_reason
      when 'done' then 'Nothing needs to: it is done. It can be claimed again once its claim is deleted.'
      when 'backoff' then
        'Time: the first claim of this work type after that takes it back. retry_failed_thoughts does so now.'
      else 'retry_failed_thoughts lets it be claimed again, as if never tried.' end)::dibs.explanation;
end $$;
comment on function dibs.why_claim_ended(dibs.claim_facts) is
  'Whether it is done, waits for its next attempt, has used up its attempts, or failed for good.';

create or replace function dibs.why_unwanted(p_claim dibs.claim_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
begin
  if p_claim.wanted then return null; end if;
  return row('unclaimed', 'filter', jsonb_build_object('id', p_claim.id), null,
    'A change of the row: the filter of its source leaves it out.')::dibs.explanation;
end $$;
comment on function dibs.why_unwanted(dibs.claim_facts) is 'Whether the filter of its source leaves it out.';

create or replace function dibs.why_not_claimed(p_claim dibs.claim_facts) returns dibs.explanation
  language plpgsql stable set search_path = '' as $$
declare
  v_reason text := case
    when p_claim.search_rests_until > dibs.clock() then 'search_rests'
    when p_claim.last_grant_at > dibs.clock() - interval '1 minute' then 'next'
    else 'nobody_asked' end;
begin
  return row('unclaimed', v_reason,
    jsonb_strip_nulls(jsonb_build_object('attempts', p_claim.attempts, 'error', p_claim.last_error,
      'last_grant_at', p_claim.last_grant_at)),
    case v_reason when 'search_rests' then p_claim.search_rests_until end,
    case v_reason
      when 'search_rests' then
        'Time: the last search found none that is free, and searches of so many rows rest a while. '
        || 'Claimed by its id it can be had now.'
      when 'next' then
        'A claim that comes to it: claims of the next ones go through all rows, claims by id need its id.'
      else format('A worker that asks for the work type %s: %s.', p_claim.work_type,
        coalesce('none was given a row in the last '
          || floor(extract(epoch from dibs.clock() - p_claim.last_grant_at) / 60) || ' minutes',
          'as far as the claims that are there tell, none ever was given a row')) end)::dibs.explanation;
end $$;
comment on function dibs.why_not_claimed(dibs.claim_facts) is
  'Nothing is in the way of it: whether no claim has come to it yet, or nobody seems to ask for this kind of work.
Asking in vain leaves no trace, so that where all else is done it looks the same.';

select dibs.seal();
