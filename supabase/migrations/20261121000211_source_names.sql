-- What the {names} stand for, in the text of which everything for a source is made.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.quoted(p_name text) returns text
  language sql immutable set search_path = '' as $$
  -- Names go into bodies between dollars, which they may not end.
  select case when p_name !~ '\$' then quote_ident(p_name)
    else 'U&"' || replace(replace(replace(p_name, '\', '\\'), '"', '""'), '$', '\0024') || '"' end
$$;
comment on function dibs.quoted(text) is 'A name as it is written in SQL, without a dollar.';

create or replace function dibs.quoted_name(p_relation regclass) returns text
  language sql stable set search_path = '' as $$
  select dibs.quoted(n.nspname) || '.' || dibs.quoted(c.relname)
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.oid = p_relation
$$;
comment on function dibs.quoted_name(regclass) is 'A table as it is written in SQL, with its schema.';

create or replace function dibs.names_of(p_source dibs.claim_source) returns jsonb
  language plpgsql stable set search_path = '' as $$
declare
  v_name text := p_source.name;
  v_type text := dibs.key_type(p_source);
  v_is_thoughts boolean := v_name = 'thoughts';
  v_rows text := 'dibs.rows_of_' || v_name;
begin
  return dibs.names_of_version(p_source) || jsonb_build_object(
    'source', v_name,
    -- The table, for locks and foreign keys, and where its rows are read: id, and of other sources than thoughts also
    -- wanted, version and row.
    'table', dibs.quoted_name(p_source.relation),
    'key', dibs.quoted(p_source.key),
    'rows', case when v_is_thoughts then 'public.thoughts' else v_rows end,
    'view', quote_literal(dibs.rows_query(p_source)),
    'wanted', case when p_source.filter is null then '' else
      format(' where exists (select from %s r where r.id = wanted.id and r.wanted offset 0)', v_rows) end,
    -- Of the key. text: as it is told, told: where what cannot be a uuid has to be text.
    'type', v_type,
    'told', case v_type when 'uuid' then 'uuid' else 'text' end,
    'collate', coalesce((
      select format(' collate %I.%I', n.nspname, c.collname)
      from pg_catalog.pg_attribute a join pg_catalog.pg_collation c on c.oid = a.attcollation
      join pg_catalog.pg_namespace n on n.oid = c.collnamespace
      where a.attrelid = p_source.relation and a.attname = p_source.key and c.collname <> 'default'), ''),
    'least', case v_type
      when 'uuid' then '00000000-0000-0000-0000-000000000000' when 'int' then '-2147483648'
      when 'bigint' then '-9223372036854775808' else '' end,
    'hash', case v_type
      when 'uuid' then 'uuid_hash_extended' when 'int' then 'hashint4extended'
      when 'bigint' then 'hashint8extended' else 'hashtextextended' end,
    'send', case v_type when 'uuid' then 'uuid_send' when 'int' then 'int4send'
      when 'bigint' then 'int8send' else 'textsend' end,
    -- A fence of thoughts that have no uuids cannot go through the functions that tasks use, and says so.
    'fence', case v_type when 'uuid' then '' else format('%L || ', v_name || ':') end,
    'parse_fence', case v_type when 'uuid' then 'dibs.parse_fence(p_fence)'
      else '(dibs.parse_row_fence(p_fence)).fence' end,
    'uuid_as_key', case v_type when 'uuid' then 'p_id' else 'null::' || v_type end,
    'id_of_effect', case v_type when 'uuid' then 'id' else 'null::' || v_type end,
    'read_outcomes', case v_type when 'uuid' then 'dibs.read_outcomes(p_outcomes)'
      else format('(select r.*, r.key::%1$s as id from dibs.read_row_outcomes(p_outcomes, %1$L) r) o', v_type) end,
    -- What is made: functions end on {of}, or on {thoughts} where their name says what they are about.
    'api', case when v_is_thoughts then 'public' else 'dibs' end,
    'thing', case when v_is_thoughts then 'thought' else 'row' end,
    'of', case when v_is_thoughts then '' else '_of_' || v_name end,
    'thoughts', case when v_is_thoughts then 'thoughts' else 'rows_of_' || v_name end,
    'claims', 'public.' || dibs.claims_table(v_name),
    'id', case when v_is_thoughts then 'thought_id' else 'row_id' end,
    'ids', case when v_is_thoughts then 'p_thought_ids' else 'p_ids' end,
    'index', case when v_is_thoughts then 'idx_twc' else 'idx_' || dibs.claims_table(v_name) end,
    'attempt', case when v_is_thoughts then 'dibs.thought_attempt' else 'dibs.attempt_of_' || v_name end,
    'run', case when v_is_thoughts then 'dibs.thought_run' else 'dibs.run_of_' || v_name end,
    'pass', case when v_is_thoughts then 'dibs.thought_pass' else 'dibs.pass_of_' || v_name end,
    'hint', case when v_is_thoughts then 'dibs.reap_hint' else 'dibs.reap_hint_of_' || v_name end,
    'lock', case when v_is_thoughts then '' else v_name || ':' end)
    || dibs.names_of_row_key(p_source);
end $$;
comment on function dibs.names_of(dibs.claim_source) is
  'What the {names} stand for where something is made for a source.';

create or replace function dibs.names_of_version(p_source dibs.claim_source) returns jsonb
  language plpgsql stable set search_path = '' as $$
declare
  v_rows text := 'dibs.rows_of_' || p_source.name;
  v_type text := (
    select format_type(atttypid, atttypmod) from pg_catalog.pg_attribute
    where attrelid = p_source.relation and attname = p_source.version and not attisdropped);
begin
  if p_source.version is null then
    return '{"version_column": "", "version": "", "blocks": "", "its_version": "", "same_version": "",
      "attempts": "greatest(m.attempts + 1, excluded.attempts)", "version_kept": "", "lock_stale": "",
      "version_seen": "null::text", "supersede": "''{}''",
      "on_conflict": "do nothing"}';
  end if;
  return jsonb_build_object(
    'version_column', format(E'version %s,\n  ', v_type),
    'version', ', version',
    'version_seen', 'c.version::text',
    'supersede', format('dibs.take_superseded_of_%s(p_fence, v_ids || v_rest, v_statuses)', p_source.name),
    -- What ended blocks only the version that it was about.
    'blocks', format($sql$ and (c.status || '' = 'claimed' or exists (
            select from %s r where r.id = c.row_id and r.version is not distinct from c.version offset 0))$sql$,
      v_rows),
    'its_version', format(
      E'\n  cross join lateral (select r.version from %s r where r.id = wanted.id offset 0) r', v_rows),
    'same_version', ' and m.version is not distinct from r.version',
    'attempts', 'excluded.attempts + case when m.version is not distinct from excluded.version '
      || 'then greatest(m.attempts + 1 - excluded.attempts, 0) else 0 end',
    'version_kept', ', version = excluded.version',
    -- Not waited for: somebody may be deleting it.
    'lock_stale', format($sql$v_ids := array(
    select wanted.id from unnest(v_ids) wanted (id)
    where not exists (
        select from public.%1$s c where c.row_id = wanted.id and c.work_type || '' = p_work_type offset 0)
      or exists (
        select from public.%1$s c where c.row_id = wanted.id and c.work_type || '' = p_work_type
        for update skip locked));
  $sql$, dibs.claims_table(p_source.name)),
    'on_conflict', $sql$do update set worker_id = excluded.worker_id, claimed_at = excluded.claimed_at,
    ttl_expires_at = excluded.ttl_expires_at, status = 'claimed', attempt_count = excluded.attempt_count,
    last_error = excluded.last_error, fence = excluded.fence, max_attempts = excluded.max_attempts,
    finished_at = null, retry_at = null, version = excluded.version
  where c.status <> 'claimed' and c.version is distinct from excluded.version$sql$);
end $$;
comment on function dibs.names_of_version(dibs.claim_source) is
  'Those of dibs.names_of that are about the version of a row: next to nothing where a source has none.';

create or replace function dibs.names_of_row_key(p_source dibs.claim_source) returns jsonb
  language plpgsql stable set search_path = '' as $$
declare
  v_is_thoughts boolean := p_source.name = 'thoughts';
begin
  if p_source.row_key is null then
    return jsonb_build_object(
      'take', format('dibs.take_from_pool%s(p_work_type, p_limit - cardinality(v_locked), p_limit)',
        case when not v_is_thoughts then '_of_' || p_source.name end),
      'by_key', '(select ''''::text as key, p_ids as ids)',
      'key_of', '''''');
  end if;
  return jsonb_build_object(
    'take', format('dibs.take_open_%s(p_work_type, p_limit - cardinality(v_locked), p_limit, v_locked)',
      case when v_is_thoughts then 'thoughts' else 'rows_of_' || p_source.name end),
    'by_key', format($sql$(
      select k.key, array_agg(i.id) as ids
      from unnest(p_ids) i (id), lateral (select k.key from dibs.keys_of_%s k where k.id = i.id offset 0) k
      group by k.key)$sql$, p_source.name),
    'key_of', format('(select k.key from dibs.keys_of_%s k where k.id = p_id)', p_source.name));
end $$;
comment on function dibs.names_of_row_key(dibs.claim_source) is
  'Those of dibs.names_of that are about whose a row is: next to nothing where a source does not say.';

create or replace function dibs.rows_query(p_source dibs.claim_source) returns text
  language sql stable set search_path = '' as $$
  select format('select t.%s as id, (%s) is true as wanted%s, %s as "row" from %s t',
    dibs.quoted(p_source.key), coalesce(p_source.filter, 'true'),
    coalesce(', t.' || dibs.quoted(p_source.version) || ' as version', ''),
    coalesce(
      'to_jsonb((select r from (select '
        || (select string_agg('t.' || dibs.quoted(name), ', ' order by n)
          from unnest(p_source.columns) with ordinality c (name, n))
        || ') r))',
      'to_jsonb(t.*)'),
    dibs.quoted_name(p_source.relation))
$$;
comment on function dibs.rows_query(dibs.claim_source) is
  'The rows of a source as its functions read them, so that no name of the table''s is met in there.';

select dibs.seal();
