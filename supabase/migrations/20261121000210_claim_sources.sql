-- Claim sources: the tables whose rows can be claimed. `thoughts` is the first of them; dibs.create_claim_source
-- (255_create_claim_source.sql) adds others.
--
-- Each has tables and functions of its own, so that each has plans of its own and none is put together while a claim
-- is waited for. All of them are made of the same text: what the next migrations hand to dibs.define_for_sources
-- is SQL as usual, but for the {names}, which differ from source to source.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create table if not exists dibs.claim_source (
  -- Part of the names of what is made for it.
  name text primary key check (name ~ '^[a-z][a-z0-9_]{0,29}$' and name !~ '_of_'),
  relation regclass not null,
  key text not null,
  version text,
  filter text,
  columns text[],
  row_key text,
  check (name <> 'thoughts' or coalesce(version, filter, columns::text) is null)
);
comment on table dibs.claim_source is
  'Tables whose rows can be claimed. key: the column that names a row; version: the one that changes when a row has
to be worked on again; filter: a condition on rows; columns: what a worker gets of a row, null for all. row_key: the
expression that says whose a row is, null where nothing does.';

create table if not exists dibs.source_sql (
  part text primary key,
  made_for text not null check (made_for in ('every source', 'thoughts', 'other sources', 'versioned')),
  sql text not null
);
comment on table dibs.source_sql is 'What is made for each source, in the order of the parts, with {names} to fill in.';

-- Before whatever claims; 552_claim_gates.sql says what it is for.
create table if not exists dibs.claim_gate (
  source text not null references dibs.claim_source (name) on delete cascade,
  work_type text not null,
  scope text not null constraint scope_is_known check (scope in ('everything', 'work type', 'each key', 'key')),
  key text collate "C" not null default '',
  most int,
  rate int,
  period interval,
  burst int,
  paused_at timestamptz,
  primary key (source, work_type, scope, key)
);
comment on table dibs.claim_gate is
  'What is set for rows of a source: a row for everything (of work type ''''), a kind of work, each key of rows for it,
or one of them. most: so many rows are claimed at once. rate, period, burst, paused_at: as in dibs.gate. What a row of
a key leaves null, the one for each key says.';

create table if not exists dibs.claim_bucket (
  source text not null references dibs.claim_source (name) on delete cascade,
  work_type text not null,
  key text collate "C" not null,
  spent_until timestamptz not null default 'epoch',
  passed_at timestamptz not null,
  primary key (source, work_type, key)
);
comment on table dibs.claim_bucket is
  'What was claimed through the gate of a kind of work (key empty) or of a key for it. spent_until: as in dibs.bucket.
passed_at: written by every claim, so that of two transactions that do not see each other one fails to serialize.';

create or replace function dibs.define_for_sources(p_part text, p_made_for text, p_sql text) returns void
  language plpgsql set search_path = '' as $$
declare
  v_source dibs.claim_source;
begin
  insert into dibs.source_sql values (p_part, p_made_for, p_sql)
    on conflict (part) do update set made_for = excluded.made_for, sql = excluded.sql
    where (source_sql.made_for, source_sql.sql) is distinct from (excluded.made_for, excluded.sql);
  for v_source in select * from dibs.claim_source order by name <> 'thoughts', name loop
    perform dibs.define_source(v_source, p_part);
  end loop;
end $$;
comment on function dibs.define_for_sources(text, text, text) is
  'Keep a part of what sources are made of, and make it for those there are.
p_made_for: every source; thoughts; other sources; or versioned, those of the others with a version.
p_sql: statements with {names}, see dibs.names_of.';

create or replace function dibs.define_source(p_source dibs.claim_source, p_part text default null) returns void
  language plpgsql set search_path = '' as $$
declare
  v_names jsonb := dibs.names_of(p_source);
  v_sql text;
begin
  for v_sql in
    select sql from dibs.source_sql
    where (p_part is null or part = p_part)
      and made_for in ('every source', case p_source.name when 'thoughts' then 'thoughts' else 'other sources' end,
        case when p_source.version is not null then 'versioned' end)
    order by part
  loop
    execute dibs.fill_in(v_sql, v_names);
  end loop;
end $$;
comment on function dibs.define_source(dibs.claim_source, text) is
  'Make for a source what it is made of, or (p_part) one part of it. What is there is made anew, or left as it is.';

create or replace function dibs.fill_in(p_sql text, p_names jsonb) returns text
  language sql immutable set search_path = '' as $$
  -- In one go: what is filled in is never looked at again, whatever braces it has.
  select string_agg(
    case when n = 1 then piece
      else coalesce(
        p_names ->> substring(piece from '^([a-z_]+)}') || substr(piece, strpos(piece, '}') + 1), '{' || piece) end,
    '' order by n)
  from string_to_table(p_sql, '{') with ordinality pieces (piece, n)
$$;
comment on function dibs.fill_in(text, jsonb) is 'Put names in the place of {name}. Other braces stay.';

create or replace function dibs.key_type(p_source dibs.claim_source) returns text
  language plpgsql stable set search_path = '' as $$
declare
  v_type regtype := (
    select atttypid from pg_catalog.pg_attribute
    where attrelid = p_source.relation and attname = p_source.key and attnum > 0 and not attisdropped);
begin
  return case v_type::text
    when 'uuid' then 'uuid' when 'bigint' then 'bigint' when 'integer' then 'int' when 'smallint' then 'int'
    when 'text' then 'text' when 'character varying' then 'text' end;
end $$;
comment on function dibs.key_type(dibs.claim_source) is
  'The type of the keys of a source: uuid, bigint, int or text; null for any other.';

create or replace function dibs.claims_table(p_source text) returns text
  language sql immutable set search_path = '' as $$
  select case p_source when 'thoughts' then 'thought' else p_source end || '_work_claims'
$$;
comment on function dibs.claims_table(text) is 'The table in public that holds the claims on a source.';

-- Grants -------------------------------------------------------------------------------------------

create or replace function dibs.source_grants() returns table (name text, privileges text)
  language sql stable set search_path = '' as $$
  select v.name, v.privileges
  from dibs.claim_source s, lateral (values
    ('dibs.keys_of_' || s.name, 'select'),
    ('public.' || dibs.claims_table(s.name), 'select, insert, update, delete'),
    ('dibs.attempt_of_' || s.name, 'select, insert, update, delete'),
    ('dibs.run_of_' || s.name, 'select, insert, update, delete'),
    ('dibs.pass_of_' || s.name, 'select, insert, update, delete'),
    ('dibs.reap_hint_of_' || s.name, 'select, insert, update, delete'),
    ('dibs.rows_of_' || s.name, 'select')
  ) v(name, privileges)
  where s.name <> 'thoughts' or v.name = 'dibs.keys_of_thoughts'
$$;
comment on function dibs.source_grants() is
  'What the service role may do with the tables and views that are made for sources; dibs.seal() grants it.';

-- The first ----------------------------------------------------------------------------------------

do $$
declare
  v_thoughts dibs.claim_source := ('thoughts', 'public.thoughts'::regclass, 'id', null, null, null, null);
begin
  if dibs.key_type(v_thoughts) is null then
    raise exception 'public.thoughts has no column id of type uuid, bigint, int or text'
      using hint = 'Rename the table, or give it one, and push again.';
  end if;
  -- The table may be another than it was, of the same name.
  update dibs.claim_source set relation = v_thoughts.relation
    where name = 'thoughts' and relation <> v_thoughts.relation;
  insert into dibs.claim_source select v_thoughts.*
    where not exists (select from dibs.claim_source where name = 'thoughts');
end $$;

select dibs.seal();
