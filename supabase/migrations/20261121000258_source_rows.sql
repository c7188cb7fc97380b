-- What the functions of 257_claim_rows.sql are made of: what is the same for each source, and what is made for each.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

-- Fences and keys ----------------------------------------------------------------------------------

create or replace function dibs.parse_row_fence(p_fence text, out source text, out fence bigint)
  language plpgsql immutable set search_path = '' as $$
begin
  if (p_fence ~ '^[a-z][a-z0-9_]*:[0-9]{1,18}$') is not true then
    perform dibs.refuse('PT400', 'p_fence must be the fence of a claim on rows, such as documents:4711',
      'Send the text back as the claim gave it. That of tasks or thoughts goes to renew_lease and settle_lease.');
  end if;
  source := split_part(p_fence, ':', 1);
  fence := split_part(p_fence, ':', 2);
end $$;
comment on function dibs.parse_row_fence(text) is
  'The source and the number in the fence of rows. PT400 when it is none.';

create or replace function dibs.check_keys(p_source text, p_ids text[]) returns text
  language plpgsql stable set search_path = '' as $$
declare
  v_source dibs.claim_source := (select s from dibs.claim_source s where s.name = p_source);
  v_type text := dibs.key_type(v_source);
  v_ord bigint;
begin
  if cardinality(p_ids) > 1000 then
    perform dibs.refuse('PT400', 'p_ids has ' || cardinality(p_ids) || ' ids, at most 1000 go in one call',
      'Split them over several calls.');
  end if;
  select ord - 1 into v_ord from unnest(p_ids) with ordinality i (id, ord)
    where i.id is not null and not dibs.is_key(i.id, v_type) order by ord limit 1;
  if found then perform dibs.refuse('PT400', format('p_ids[%s] must be %s', v_ord, dibs.key_words(v_type))); end if;
  return v_type;
end $$;
comment on function dibs.check_keys(text, text[]) is
  'The type of the keys of a source. Refuses (PT400) ids that cannot be keys, and more than 1000.';

create or replace function dibs.is_key(p_id text, p_type text) returns boolean
  language plpgsql immutable set search_path = '' as $$
begin
  return case p_type
    when 'uuid' then p_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    when 'text' then true
    -- Written in the one usual way, so that an id is told by the text it came as.
    when 'int' then p_id ~ '^(0|-?[1-9][0-9]{0,9})$' and p_id::numeric between -2147483648 and 2147483647
    else p_id ~ '^(0|-?[1-9][0-9]{0,18})$'
      and p_id::numeric between -9223372036854775808 and 9223372036854775807 end;
end $$;
comment on function dibs.is_key(text, text) is 'Whether a text is a key of this type.';

create or replace function dibs.key_words(p_type text) returns text
  language sql immutable set search_path = '' as $$
  select case p_type when 'uuid' then 'a uuid' when 'text' then 'text' else 'a whole number, as text' end
$$;
comment on function dibs.key_words(text) is 'What a key of this type is, in words.';

-- Settling -----------------------------------------------------------------------------------------

create or replace function dibs.read_row_outcomes(p_outcomes jsonb, p_type text)
  returns table (ord int, key text, status text, error text, metadata jsonb, permanent boolean)
  language plpgsql immutable set search_path = '' as $$
declare
  v_alike jsonb;
  v_ord bigint;
begin
  if p_outcomes is null or p_outcomes = '[]' then return; end if;
  if jsonb_typeof(p_outcomes) = 'array' then
    select o.ord - 1 into v_ord from jsonb_array_elements(p_outcomes) with ordinality o (value, ord)
      where jsonb_typeof(value) = 'object'
        and (jsonb_typeof(value -> 'id') in ('string', 'number') and dibs.is_key(value ->> 'id', p_type)) is not true
      order by o.ord limit 1;
    if found then
      perform dibs.refuse('PT400', format('p_outcomes[%s].id must be %s', v_ord, dibs.key_words(p_type)));
    end if;
    -- But for their ids they are outcomes like any other.
    select jsonb_agg(case jsonb_typeof(value) when 'object'
        then value || jsonb_build_object('id', md5(value ->> 'id')::uuid) else value end order by o.ord) into v_alike
      from jsonb_array_elements(p_outcomes) with ordinality o (value, ord);
  end if;
  perform dibs.check_outcomes(coalesce(v_alike, p_outcomes));
  return query
    select r.ord, p_outcomes -> r.ord ->> 'id', r.status, r.error, r.metadata, r.permanent
    from dibs.read_outcomes(v_alike) r;
end $$;
comment on function dibs.read_row_outcomes(jsonb, text) is
  'What dibs.read_outcomes is for uuids, for keys of this type: all or nothing, PT400 with the path of the first bad
field.';

create or replace function dibs.settle_source(p_source text, p_fence bigint, p_outcomes jsonb, p_rest text)
  returns jsonb
  language plpgsql set search_path = '' as $$
declare
  v_done jsonb;
begin
  execute format('select to_jsonb(s) from dibs.settle_%s($1, $2, $3) s', dibs.source_rows(p_source)) into v_done
    using p_fence, p_outcomes, p_rest;
  return '{"superseded": []}' || v_done;
end $$;
comment on function dibs.settle_source(text, bigint, jsonb, text) is
  'Settle a lease on rows of a source: {settled, lost, superseded}.';

create or replace function dibs.rows_grant(p_source text, p_fence bigint, p_settled jsonb) returns json
  language plpgsql stable set search_path = '' as $$
declare
  v_grant jsonb;
begin
  execute format($sql$
    select jsonb_build_object('fence', min(g.fence), 'lease_expires_at', min(g.lease_expires_at),
      'lease_ms', coalesce(min(g.lease_ms), 0), 'rows', coalesce(jsonb_agg(jsonb_build_object(
        'id', g.id, 'attempt', g.attempt, 'version', g.version, 'row', g."row")), '[]'))
    from dibs.granted_rows_of_%s($1) g$sql$, p_source) into v_grant using p_fence;
  return p_settled || v_grant;
end $$;
comment on function dibs.rows_grant(text, bigint, jsonb) is 'A grant of rows as one object, beside what was settled.';

create or replace function dibs.refuse_findings(p_outcomes jsonb) returns void
  language plpgsql immutable set search_path = '' as $$
declare
  v_bad record;
begin
  if jsonb_typeof(p_outcomes) <> 'array' then return; end if;
  select o.ord - 1 as ord, field into v_bad
    from jsonb_array_elements(p_outcomes) with ordinality o (value, ord), unnest(array['result', 'metadata']) field
    where coalesce(jsonb_typeof(o.value -> field), 'null') <> 'null' order by o.ord limit 1;
  if found then
    perform dibs.refuse('PT400', format('p_outcomes[%s].%s goes with tasks and thoughts only', v_bad.ord, v_bad.field),
      'Write it into the row by yourself.');
  end if;
end $$;
comment on function dibs.refuse_findings(jsonb) is
  'Refuse (PT400) what would have to be kept with a row: nobody but its owner knows where.';

-- Made for each source -----------------------------------------------------------------------------

select dibs.define_for_sources('220 rows', 'other sources', $define$
select dibs.define_view('dibs.rows_of_{source}', {view});
comment on view dibs.rows_of_{source} is 'The rows of a claim source. wanted: they meet its filter.';
$define$);

select dibs.define_for_sources('452 leases on rows', 'other sources', $define$
create or replace function dibs.granted_rows_of_{source}(p_fence bigint) returns table (
  id text, fence text, attempt int, lease_expires_at timestamptz, lease_ms int, version text, "row" jsonb
)
  language plpgsql stable set search_path = '' as $$
declare
  v_now timestamptz := dibs.clock();
begin
  return query
    select c.row_id::text, '{source}:' || c.fence, c.attempt_count, c.ttl_expires_at,
      greatest(0, date_part('epoch', c.ttl_expires_at - v_now) * 1000)::int, {version_seen}, r."row"
    from {claims} c,
      lateral (select r."row" from {rows} r where r.id = c.row_id offset 0) r
    where c.fence = p_fence and c.status || '' = 'claimed'
    order by {send}(c.row_id);
end $$;
comment on function dibs.granted_rows_of_{source}(bigint) is
  'What a grant still holds, with the version that was seen and what a worker gets of a row.';

create or replace function dibs.settle_rows_of_{source}(
  p_fence bigint, p_outcomes jsonb, p_rest text, out settled int, out lost text[], out superseded text[]
)
  language plpgsql set search_path = '' as $$
declare
  v_ids {type}[] := '{}';
  v_statuses text[] := '{}';
  v_errors text[];
  v_permanent boolean[];
  v_held {type}[];
  v_rest {type}[] := '{}';
  v_superseded {type}[] := '{}';
begin
  perform dibs.check_rest(p_rest);
  if p_outcomes <> '[]' then
    perform dibs.refuse_findings(p_outcomes);
    select array_agg(id order by id), array_agg(status order by id), array_agg(error order by id),
        array_agg(permanent order by id)
      into v_ids, v_statuses, v_errors, v_permanent
      from {read_outcomes};
  end if;
  v_held := dibs.lock_held_rows_of_{source}(p_fence);
  if p_rest is not null then
    v_rest := array(select unnest(v_held) except select unnest(v_ids));
    v_statuses := v_statuses || array_fill(p_rest, array[cardinality(v_rest)]);
  end if;
  v_superseded := {supersede};
  lost := dibs.end_claims_of_{source}(p_fence, v_ids || v_rest, v_statuses, v_errors, v_permanent);
  settled := cardinality(v_ids) + cardinality(v_rest) - cardinality(lost);
  superseded := v_superseded;
  lost := array(select unnest(lost) except select unnest(superseded) order by 1);
end $$;
comment on function dibs.settle_rows_of_{source}(bigint, jsonb, text) is
  'Settle rows of one lease, as settle_rows says: all that is named and still held, and with p_rest all else it holds.';
$define$);

select dibs.define_for_sources('453 versions', 'versioned', $define$
create or replace function dibs.take_superseded_of_{source}(p_fence bigint, p_ids {type}[], p_statuses text[])
  returns {type}[]
  language plpgsql set search_path = '' as $$
declare
  v_superseded {type}[];
  v_work_type text;
begin
  with superseded as (
    delete from {claims} c
    using unnest(p_ids, p_statuses) o (id, status)
    where c.row_id = any (array[o.id])
      and c.fence + 0 = p_fence and c.status || '' = 'claimed' and o.status <> 'released'
      and exists (select from {rows} r where r.id = c.row_id and r.version is distinct from c.version offset 0)
    returning c.row_id, c.work_type
  )
  select array_agg(row_id order by row_id), min(work_type) into v_superseded, v_work_type from superseded;
  if v_superseded is null then return '{}'; end if;
  perform dibs.forget_attempts_of_{source}(v_work_type, v_superseded);
  return v_superseded;
end $$;
comment on function dibs.take_superseded_of_{source}(bigint, {type}[], text[]) is
  'Take away the locked claims on rows that have another version now than was claimed, so that they can be claimed
again, with all their attempts. An edit that is not committed yet comes after: it makes what was settled claimable
again.';
$define$);

select dibs.define_for_sources('454 thoughts as rows', 'thoughts', $define$
create or replace function dibs.granted_rows_of_thoughts(p_fence bigint) returns table (
  id text, fence text, attempt int, lease_expires_at timestamptz, lease_ms int, version text, "row" jsonb
)
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select g.thought_id::text, 'thoughts:' || p_fence, g.attempt, g.lease_expires_at, g.lease_ms, null::text,
      jsonb_build_object('content', g.content, 'metadata', g.metadata)
    from dibs.granted_thoughts(p_fence) g;
end $$;
comment on function dibs.granted_rows_of_thoughts(bigint) is 'What a grant of thoughts still holds, told as rows are.';
$define$);

select dibs.seal();
