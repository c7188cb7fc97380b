-- Keys of rows: whose a row of a source is, such as a tenant or an account. Rows have none until somebody says what it
-- is, `select dibs.set_row_key('documents', 'tenant')`, as the owner of the database; then gates of claims can be set
-- for each key (552_claim_gates.sql), and claims go by it (555_claims_by_key.sql).

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.set_row_key(p_source text, p_expression text) returns void
  language plpgsql set search_path = '' set lock_timeout = '3s' as $$
declare
  v_source dibs.claim_source;
begin
  perform pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0)), dibs.stop_claims(dibs.claims_of(p_source));
  select * into v_source from dibs.claim_source where name = p_source;
  if v_source.row_key is not distinct from p_expression then return; end if;
  v_source.row_key := p_expression;
  if p_expression is null then
    if exists (select from dibs.claim_gate where source = p_source and scope in ('each key', 'key')) then
      perform dibs.refuse('PT409', format('there are gates for keys of %s', p_source),
        'Take them away first: select * from claim_gates().');
    end if;
  else
    perform dibs.check_row_key(v_source);
  end if;
  update dibs.claim_source set row_key = p_expression where name = p_source;
  perform dibs.define_source(v_source), dibs.forget_pool(v_source), dibs.seal();
end $$;
comment on function dibs.set_row_key(text, text) is
  'Say whose a row of a source is, so that gates of claims can be set for each key. For the owner of the database.
p_expression: SQL on the columns of a row, such as tenant, or metadata ->> ''account''; its text counts, up to 200
characters; empty or null is no key. p_expression null: rows have no keys any more.
Errors: PT400 for an unknown source or an expression that is none, PT409 while gates for keys are set, PT503 while a
claim stays in an open transaction for 3 seconds.';

create or replace function dibs.check_row_key(p_source dibs.claim_source) returns void
  language plpgsql set search_path = '' as $$
begin
  execute 'create temp view dibs_tried as ' || dibs.row_keys_query(p_source);
  drop view pg_temp.dibs_tried;
exception when syntax_error_or_access_rule_violation then
  perform dibs.refuse('PT400', 'p_expression cannot be the key of a row: ' || sqlerrm,
    'It is an expression on the columns of a row, such as tenant; what is not PostgreSQL''s has its schema before it.');
end $$;
comment on function dibs.check_row_key(dibs.claim_source) is 'Refuse (PT400) what is no expression on rows.';

create or replace function dibs.row_keys_query(p_source dibs.claim_source) returns text
  language sql stable set search_path = '' as $$
  select format('select t.%s as id, coalesce(left((%s)::text, 200), '''') collate "C" as key from %s t',
    dibs.quoted(p_source.key), p_source.row_key, dibs.quoted_name(p_source.relation))
$$;
comment on function dibs.row_keys_query(dibs.claim_source) is 'The rows of a source with their keys.';

create or replace function dibs.forget_pool(p_source dibs.claim_source) returns void
  language plpgsql set search_path = '' as $$
declare
  v_names jsonb := dibs.names_of(p_source);
begin
  execute format('delete from %s where work_type is not null', v_names ->> 'run');
  execute format($sql$update %s set position = null, began_at = 'epoch', debt = '0'
    where work_type is not null$sql$, v_names ->> 'pass');
end $$;
comment on function dibs.forget_pool(dibs.claim_source) is
  'Empty the pool of a source, so that the next claim searches from the beginning.';

-- What is made of it -------------------------------------------------------------------------------

create or replace function dibs.define_row_keys(p_source text) returns void
  language plpgsql set search_path = '' as $$
declare
  v_source dibs.claim_source := (select s from dibs.claim_source s where s.name = p_source);
  v_view text := 'dibs.keys_of_' || p_source;
  v_index text := p_source || '_run_by_key';
begin
  if v_source.row_key is not null then
    perform dibs.define_view(v_view, dibs.row_keys_query(v_source));
    if to_regclass('dibs.' || v_index) is null then
      execute format('create index %I on %s (work_type, key, fill, place)', v_index,
        dibs.names_of(v_source) ->> 'run');
    end if;
  elsif to_regclass(v_view) is not null then
    execute format('drop view %s', v_view);
    execute format('drop index dibs.%I', v_index);
  end if;
end $$;
comment on function dibs.define_row_keys(text) is
  'Make the view of the keys of rows and the index by which the pool is asked for a key, or take both away.';

select dibs.seal();
