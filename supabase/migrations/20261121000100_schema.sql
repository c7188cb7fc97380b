-- Dibs keeps its internals in one schema that the API does not expose. What other programs may
-- call stands in `public`; who may call it is said once, in the next migration.

-- So begins every migration. Whoever wants a table that a migration waits for waits behind it; so it gives
-- up soon, having changed nothing, and is to be pushed again when nobody keeps the table for long. And two who
-- push at once take turns.
set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create schema if not exists dibs;
comment on schema dibs is
  'Internals of Dibs. Not an interface: call the functions in public instead.';

create or replace function dibs.version() returns text
  language sql immutable set search_path = '' as $$
  select '0.1.0'
$$;
comment on function dibs.version() is 'Which Dibs this database was migrated to.';

-- Applying again -----------------------------------------------------------------------------------
-- What is there already is left alone, also where SQL could say so shorter: `create index if not exists`, for
-- one, locks the table before it looks, and workers would wait for that.

create or replace function dibs.define_view(p_name text, p_query text) returns void
  language plpgsql set search_path = '' as $$
begin
  execute 'create view dibs.as_defined as ' || p_query;
  if pg_get_viewdef(to_regclass(p_name)) is distinct from pg_get_viewdef('dibs.as_defined'::regclass) then
    execute format('create or replace view %s with (security_invoker = true) as %s', p_name, p_query);
  end if;
  drop view dibs.as_defined;
end $$;
comment on function dibs.define_view(text, text) is
  'Make a view, or replace the one that is there where it says something else: replacing locks out its readers.';

-- A table public.tasks of the project's ------------------------------------------------------------
-- Dibs needs that name. The rows of a plain table become tasks of Dibs (545_carried_tasks.sql). What could not come
-- along is told here, in the first migration, of which then nothing stays.

create or replace function dibs.tasks_to_carry() returns boolean
  language plpgsql set search_path = '' as $$
declare
  v_table regclass := to_regclass('public.tasks');
  v_obstacles text[];
begin
  if v_table is null or pg_get_viewdef(v_table) ~ '\mdibs\.log\M' then return false; end if;
  v_obstacles := array(select o from dibs.obstacles_of(v_table) o order by o);
  -- Rows are looked at where the columns are as they should be.
  if v_obstacles = '{}' then v_obstacles := array(select dibs.faults_of_tasks()); end if;
  if v_obstacles <> '{}' then
    raise exception E'there is a public.tasks already, and Dibs cannot take it over:\n- %',
      array_to_string(v_obstacles, E'\n- ')
      using hint = 'Mend that, or rename the table (alter table public.tasks rename to ...), and push again.';
  end if;
  return true;
end $$;
comment on function dibs.tasks_to_carry() is
  'Whether there is a public.tasks that is not Dibs''s. Raises when there is one that cannot be taken over.';

create or replace function dibs.obstacles_of(p_table regclass) returns setof text
  language plpgsql stable set search_path = '' as $$
declare
  v_id smallint := (select attnum from pg_catalog.pg_attribute where attrelid = p_table and attname = 'id');
begin
  if not exists (select from pg_catalog.pg_class where oid = p_table and relkind = 'r' and not relispartition) then
    return next 'it is not a plain table: rename it';
    return;
  end if;
  return query
    select format('it is owned by %s: alter table public.tasks owner to %I', relowner::regrole, current_user)
      from pg_catalog.pg_class where oid = p_table and not pg_has_role(relowner, 'usage')
    union
    select 'there is a public.tasks_before_dibs, which is what it would be called from now on: rename that one'
      where to_regclass('public.tasks_before_dibs') is not null
    union
    select case
        when a.attname is null then format('it has no column %s of type %s', w.name, w.types[1])
        when w.name is null then format('tasks of Dibs have no column %I: put it into payload, and drop it', a.attname)
        else format('its column %1$s is of type %2$s: alter table public.tasks alter %1$s type %3$s', w.name,
          a.atttypid::regtype, w.types[1])
      end
      from (values
        ('id', array['uuid']::regtype[], true), ('type', array['text', 'varchar']::regtype[], true),
        ('payload', array['jsonb']::regtype[], true), ('status', array['text', 'varchar']::regtype[], true),
        ('created_at', array['timestamptz']::regtype[], false), ('started_at', array['timestamptz']::regtype[], false),
        ('completed_at', array['timestamptz']::regtype[], false), ('error', array['text', 'varchar']::regtype[], false)
      ) w(name, types, needed)
      full join (
        select attname::text, atttypid from pg_catalog.pg_attribute
        where attrelid = p_table and attnum > 0 and not attisdropped
      ) a on a.attname = w.name
      where a.attname is null and w.needed or w.name is null or a.atttypid <> all (w.types::oid[])
    union
    select 'its primary key is not id: alter table public.tasks add primary key (id)'
      where not exists (
        select from pg_catalog.pg_index
        where indrelid = p_table and indisprimary and indnkeyatts = 1 and indkey[0] = v_id)
    union
    select format('its index %s keeps more unique than ids: let unique_key do that, and drop it', indexrelid::regclass)
      from pg_catalog.pg_index where indrelid = p_table and indisunique and (indnkeyatts > 1 or indkey[0] <> v_id)
    union
    select format('it has the trigger %I, which the view would not have: drop it', tgname)
      from pg_catalog.pg_trigger where tgrelid = p_table and not tgisinternal
    union
    select format('its policy %I lets users in, and tasks of Dibs are for the service role alone: drop it', polname)
      from pg_catalog.pg_policy where polrelid = p_table and polroles <> array['service_role'::regrole::oid]
    union
    select format('it is published, and a view cannot be: alter publication %I drop table public.tasks', p.pubname)
      from pg_catalog.pg_publication_rel r join pg_catalog.pg_publication p on p.oid = r.prpubid
      where r.prrelid = p_table
    union
    -- Views, foreign keys, policies of other tables, functions that take or return its rows.
    select format('%s depends on it: drop that, and make it anew when Dibs is there',
        pg_describe_object(d.classid, d.objid, d.objsubid))
      from pg_catalog.pg_class c join pg_catalog.pg_type t on t.oid = c.reltype
      join pg_catalog.pg_depend d on d.deptype = 'n' and (
        d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = c.oid
        or d.refclassid = 'pg_catalog.pg_type'::regclass and d.refobjid in (t.oid, t.typarray))
      where c.oid = p_table
        -- Its own checks and policies, and two functions that make way by themselves (dibs.set_tasks_aside).
        and not exists (
          select from pg_catalog.pg_constraint where (tableoid, oid) = (d.classid, d.objid) and conrelid = p_table
          union all
          select from pg_catalog.pg_policy where (tableoid, oid) = (d.classid, d.objid) and polrelid = p_table
          union all
          select from pg_catalog.pg_proc where (tableoid, oid) = (d.classid, d.objid) and oid in (
            to_regprocedure('public.claim_task()'), to_regprocedure('public.create_task(text, jsonb)')));
end $$;
comment on function dibs.obstacles_of(regclass) is
  'What a table public.tasks is or has that Dibs cannot take over: a sentence each, with the mend.';

create or replace function dibs.faults_of_tasks() returns setof text
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select format('%s of its rows have %s, such as %s: %s', count(*), fault[1], min(id::text), fault[2])
    from (
      select id, case
        when type is null or type !~ '\S' or length(type) > 100 or type ~ '[[:cntrl:]]'
          then array['a type that is not 1 to 100 printable characters', 'give them another one']
        when payload is null
          then array['no payload', 'update public.tasks set payload = ''{}'' where payload is null']
        when status is null or status not in ('pending', 'processing', 'completed', 'failed')
          then array['the status ' || coalesce(quote_literal(left(status, 40)), 'null'),
            'make it pending, processing, completed or failed']
      end as fault
      from public.tasks
    ) t
    where fault is not null group by fault order by fault limit 20;
end $$;
comment on function dibs.faults_of_tasks() is
  'The rows of a table public.tasks that no task of Dibs can be made of: a sentence for each kind of them.';

select dibs.tasks_to_carry();

-- Fences -------------------------------------------------------------------------------------------

-- One sequence for both surfaces, so that a fence means one grant and nothing else, anywhere.
create sequence if not exists dibs.fence;
comment on sequence dibs.fence is
  'A number per claim call. They only ever grow, so of two grants of the same thing the later has the larger.';

-- Refusals ---------------------------------------------------------------------------------------

create or replace function dibs.refuse(p_sqlstate text, p_message text, p_hint text default null) returns void
  language plpgsql set search_path = '' as $$
begin
  raise exception using errcode = p_sqlstate, message = p_message, hint = coalesce(p_hint, '');
end $$;
comment on function dibs.refuse(text, text, text) is
  'Refuse a call on purpose. PTxyz becomes HTTP status xyz in the data API: PT400 bad input, PT409 conflict.';

create or replace function dibs.check_label(p_argument text, p_value text, p_longest int) returns void
  language plpgsql immutable set search_path = '' as $$
begin
  if p_value is null or p_value !~ '\S' then
    perform dibs.refuse('PT400', p_argument || ' must not be empty',
      'Give a label of 1 to ' || p_longest || ' characters.');
  elsif length(p_value) > p_longest then
    perform dibs.refuse('PT400', p_argument || ' has ' || length(p_value) || ' characters',
      'Give a label of at most ' || p_longest || ' characters.');
  elsif p_value ~ '[[:cntrl:]]' then
    perform dibs.refuse('PT400', p_argument || ' has a control character', 'Labels are printable text.');
  end if;
end $$;
comment on function dibs.check_label(text, text, int) is
  'Refuse (PT400) a worker id, work type or task type that is empty, too long, or would break a log line.';

create or replace function dibs.check_between(p_argument text, p_value bigint, p_least bigint, p_most bigint)
  returns void
  language plpgsql immutable set search_path = '' as $$
begin
  if p_value is null or p_value not between p_least and p_most then
    perform dibs.refuse('PT400', p_argument || ' must be between ' || p_least || ' and ' || p_most
      || ', not ' || coalesce(p_value::text, 'null'));
  end if;
end $$;
comment on function dibs.check_between(text, bigint, bigint, bigint) is
  'Refuse (PT400) a number outside its bounds, naming them.';

create or replace function dibs.parse_fence(p_fence text) returns bigint
  language plpgsql immutable set search_path = '' as $$
begin
  if p_fence is null or p_fence !~ '^[0-9]{1,18}$' then
    perform dibs.refuse('PT400', 'p_fence must be the fence of a claim',
      'Send the text back exactly as the claim gave it.');
  end if;
  return p_fence::bigint;
end $$;
comment on function dibs.parse_fence(text) is
  'The number in a fence. Fences travel as text because JSON numbers lose digits. PT400 when it is none.';

create or replace function dibs.clean_error(p_error text) returns text
  language sql immutable set search_path = '' as $$
  select left(p_error, 4000)
$$;
comment on function dibs.clean_error(text) is
  'An error message short enough to keep. Reporting a failure must not itself fail.';

-- The clock ----------------------------------------------------------------------------------------

create or replace function dibs.clock() returns timestamptz
  language plpgsql volatile set search_path = '' as $$
begin
  return clock_timestamp();
end $$;
comment on function dibs.clock() is
  'The only clock that decides about leases. Read once a call, after the locks: a transaction may have begun long
before.';

-- Backoff ------------------------------------------------------------------------------------------

create or replace function dibs.backoff(p_failures int) returns interval
  language sql volatile set search_path = '' as $$
  -- The exponent is clamped first: 2 ^ failures would overflow, and the report of a failure fail.
  select least(2.0 ^ least(greatest(p_failures, 1) - 1, 20), 3600) * (0.75 + random() * 0.5) * interval '1 s'
$$;
comment on function dibs.backoff(int) is
  'How long to wait after the nth failure: 1 s, 2 s, 4 s … at most an hour, give or take a quarter, so that
retries do not come in step.';

-- Requests -----------------------------------------------------------------------------------------

create table if not exists dibs.request (
  id text primary key,
  verb text not null,
  response jsonb not null,
  made_at timestamptz not null default now()
);
comment on table dibs.request is
  'What was answered to a request id, so that a caller who lost the reply can ask again and get the same.';
do $$
begin
  if to_regclass('dibs.request_made_at_for_pruning') is null then
    create index request_made_at_for_pruning on dibs.request (made_at);
  end if;
end $$;

create or replace function dibs.recall(p_verb text, p_request_id text) returns jsonb
  language plpgsql set search_path = '' as $$
declare
  v_request dibs.request;
begin
  if p_request_id is null then return null; end if;
  perform dibs.check_label('p_request_id', p_request_id, 200);
  -- Only a repeat of this very request waits here, never another claimer.
  perform pg_advisory_xact_lock(hashtextextended('dibs.request:' || p_request_id, 0));
  select * into v_request from dibs.request where id = p_request_id;
  if v_request.verb <> p_verb then
    perform dibs.refuse('PT409', 'p_request_id was already used for ' || v_request.verb,
      'Make a new request id for each request.');
  end if;
  return v_request.response;
end $$;
comment on function dibs.recall(text, text) is
  'The answer given before to this request id, or null. PT409 when the id was used for another verb.';

create or replace function dibs.remember(p_verb text, p_request_id text, p_response jsonb) returns void
  language plpgsql set search_path = '' as $$
begin
  if p_request_id is not null then
    -- The lock of recall is enough for read committed. Where transactions are stricter, recall may have looked before
    -- the other call committed: with this clause that is a failure to serialize (40001), and not a duplicate key.
    insert into dibs.request (id, verb, response) values (p_request_id, p_verb, p_response) on conflict do nothing;
  end if;
end $$;
comment on function dibs.remember(text, text, jsonb) is
  'Keep the answer to a request id, in the transaction that made it true.';

-- Closed from the first moment, whatever a project's default privileges are. What comes after the next
-- migration is sealed by it.
revoke all on schema dibs from public, anon, authenticated cascade;
revoke all on all tables in schema dibs from public, anon, authenticated cascade;
revoke all on all sequences in schema dibs from public, anon, authenticated cascade;
revoke all on all functions in schema dibs from public, anon, authenticated cascade;
