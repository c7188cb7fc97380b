-- Any table as a source of claims: `select dibs.create_claim_source('documents', 'public.documents')`, as the owner of
-- the database, in a migration or the SQL editor.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.create_claim_source(
  p_source text, p_table regclass, p_key text default null, p_version text default null,
  p_filter text default null, p_columns text[] default null
) returns void
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_source dibs.claim_source := (p_source, p_table, p_key, p_version, p_filter, p_columns, null);
  v_before dibs.claim_source;
begin
  perform pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));
  v_source.key := coalesce(p_key, (
    select a.attname
    from pg_catalog.pg_index i join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = p_table and i.indisprimary and i.indnkeyatts = 1));
  perform dibs.check_source(v_source);
  select * into v_before from dibs.claim_source where name = p_source;
  if v_before.name is null then
    if to_regclass('public.' || dibs.claims_table(p_source)) is not null then
      perform dibs.refuse('PT409', format('there is a public.%s already, which would hold the claims',
        dibs.claims_table(p_source)), 'Give the source another name.');
    end if;
    insert into dibs.claim_source select v_source.*;
  elsif (v_before.relation, v_before.key, v_before.version)
      is distinct from (v_source.relation, v_source.key, v_source.version) then
    perform dibs.refuse('PT409', format('there is a source %s already, of another table, key or version', p_source),
      'Give this one another name, or drop that one, and its claims, with dibs.drop_claim_source.');
  else
    update dibs.claim_source set filter = v_source.filter, columns = v_source.columns where name = p_source
      returning row_key into v_source.row_key;
  end if;

  -- A claim locks the rows it grants, lest one be deleted under it; a lock asks for update, of some column.
  execute format('grant usage on schema %s to service_role', (
    select dibs.quoted(nspname) from pg_catalog.pg_namespace n
    join pg_catalog.pg_class c on c.relnamespace = n.oid where c.oid = p_table));
  execute format('grant select, update (%s) on %s to service_role',
    dibs.quoted(v_source.key), dibs.quoted_name(p_table));
  perform dibs.define_source(v_source);
  perform dibs.seal();
end $$;
comment on function dibs.create_claim_source(text, regclass, text, text, text, text[]) is
  'Let the rows of a table be claimed, under the name p_source: claim_next_rows and its family, and the endpoints.
For the owner of the database.
p_key: the unique column that names a row, of type uuid, bigint, int or text; left out: the primary key.
p_version: a column that changes when a row must be worked on again, such as updated_at. p_filter: a condition in
SQL; only rows that meet it are claimed. p_columns: what a worker gets of a row; left out: all of it.
Called again it changes p_filter and p_columns, and nothing when they are the same.
Errors: PT400 for what cannot be a source, PT409 when there is another of that name.';

create or replace function dibs.drop_claim_source(p_source text) returns void
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_function regprocedure;
begin
  perform pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));
  if p_source = 'thoughts' then
    perform dibs.refuse('PT400', 'p_source must not be thoughts: they are always a source');
  end if;
  perform dibs.source_rows(p_source);
  delete from dibs.claim_source where name = p_source;
  execute format('drop table public.%s', dibs.claims_table(p_source));
  for v_function in
    select oid from pg_catalog.pg_proc
    where pronamespace = 'dibs'::regnamespace and right(proname, length(p_source) + 4) = '_of_' || p_source
  loop
    execute format('drop function %s', v_function);
  end loop;
  execute format('drop table dibs.attempt_of_%1$s, dibs.run_of_%1$s, dibs.pass_of_%1$s, dibs.reap_hint_of_%1$s',
    p_source);
  execute format('drop view if exists dibs.rows_of_%1$s, dibs.keys_of_%1$s', p_source);
end $$;
comment on function dibs.drop_claim_source(text) is
  'Take away a source that dibs.create_claim_source made, with all claims on it. The table itself stays as it is.
For the owner of the database.
Errors: PT400 when there is none of that name.';

-- What can be one ----------------------------------------------------------------------------------

create or replace function dibs.check_source(p_source dibs.claim_source) returns void
  language plpgsql set search_path = '' as $$
declare
  v_columns text[] := array(
    select attname from pg_catalog.pg_attribute
    where attrelid = p_source.relation and attnum > 0 and not attisdropped);
  v_missing text;
begin
  if (p_source.name ~ '^[a-z][a-z0-9_]{0,29}$' and p_source.name !~ '_of_' and p_source.name <> 'thoughts') is not true
  then
    perform dibs.refuse('PT400',
      'p_source must be 1 to 30 of a-z, 0-9 and _, begin with a letter, have no _of_, and not be thoughts',
      'It becomes part of names, such as documents_work_claims.');
  elsif not exists (
    select from pg_catalog.pg_class
    where oid = p_source.relation and relkind in ('r', 'p') and relpersistence <> 't'
      and relnamespace not in ('dibs'::regnamespace, 'pg_catalog'::regnamespace)
  ) then
    perform dibs.refuse('PT400', format('p_table must be a table, and %s is none', p_source.relation),
      'Claims point at rows, so it can be no view, foreign or temporary table.');
  elsif p_source.key is null then
    perform dibs.refuse('PT400', format('%s has no primary key of one column', p_source.relation),
      'Name a unique column as p_key.');
  end if;
  select name into v_missing from unnest(array[p_source.key, p_source.version] || p_source.columns) name
    where name <> all (v_columns) limit 1;
  if found then
    perform dibs.refuse('PT400', format('%s has no column %I', p_source.relation, v_missing),
      'It has ' || array_to_string(v_columns, ', ') || '.');
  elsif dibs.key_type(p_source) is null then
    perform dibs.refuse('PT400', format('p_key is %I, which is no uuid, bigint, int or text', p_source.key),
      'Name another unique column as p_key.');
  elsif not exists (
    select from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = p_source.relation and a.attname = p_source.key
      and i.indisunique and i.indimmediate and i.indisvalid and i.indnkeyatts = 1 and i.indpred is null
  ) then
    perform dibs.refuse('PT400', format('p_key is %I, which nothing keeps unique', p_source.key),
      format('alter table %s add unique (%I)', p_source.relation, p_source.key));
  elsif p_source.columns = '{}' then
    perform dibs.refuse('PT400', 'p_columns must name a column', 'Leave it out to get all of them.');
  end if;
  perform dibs.check_expressions(p_source);
end $$;
comment on function dibs.check_source(dibs.claim_source) is 'Refuse (PT400) what cannot be a source, with the mend.';

create or replace function dibs.check_expressions(p_source dibs.claim_source) returns void
  language plpgsql set search_path = '' as $$
begin
  execute format('create temp view dibs_tried as select r.wanted, %s from (%s) r',
    case when p_source.version is null then 'true' else 'r.version is distinct from r.version' end,
    dibs.rows_query(p_source));
  drop view pg_temp.dibs_tried;
exception when syntax_error_or_access_rule_violation then
  perform dibs.refuse('PT400',
    case when p_source.filter is null then 'p_version cannot be compared: ' else 'p_filter cannot be a condition: ' end
      || sqlerrm,
    'A filter is a condition on the columns of a row, such as status = ''ready''; what is not PostgreSQL''s has its '
      || 'schema before it. Versions need an equality.');
end $$;
comment on function dibs.check_expressions(dibs.claim_source) is
  'Refuse (PT400) a filter that is no condition on rows, and a version that cannot be compared.';

-- All of them --------------------------------------------------------------------------------------

create or replace function dibs.source_rows(p_source text) returns text
  language plpgsql stable set search_path = '' as $$
begin
  if not exists (select from dibs.claim_source where name = p_source) then
    perform dibs.refuse('PT400', 'p_source must be the name of a claim source', 'There are: '
      || (select string_agg(name, ', ' order by name) from dibs.claim_source)
      || '. dibs.create_claim_source makes one of a table.');
  end if;
  return case p_source when 'thoughts' then p_source else 'rows_of_' || p_source end;
end $$;
comment on function dibs.source_rows(text) is
  'On what the names of the functions of a source end. PT400 when there is no such source.';

create or replace function dibs.reap_sources() returns int
  language plpgsql set search_path = '' as $$
declare
  v_source text;
  v_reaped int;
  v_sum int := 0;
begin
  for v_source in select name from dibs.claim_source where name <> 'thoughts' order by name loop
    execute format('select dibs.reap_rows_of_%s()', v_source) into v_reaped;
    v_sum := v_sum + v_reaped;
  end loop;
  return v_sum;
end $$;
comment on function dibs.reap_sources() is
  'Make claimable again what expired and what is due for a retry, of all sources but thoughts. Returns how many.';

select dibs.seal();
