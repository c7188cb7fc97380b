-- Dibs keeps its internals in one schema that the API does not expose. What other programs may
-- call stands in `public`; who may call it is said once, in the next migration.

-- So begins every migration. Whoever wants a table that a migration waits for waits behind it; so it gives
-- up soon, having changed nothing, and is to be pushed again when nobody keeps the table for long. And two who
-- push at once take turns.
set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

-- Refused before anything is changed: Dibs would close somebody else's table to the API.
do $$
begin
  if exists (
    select from pg_class where oid = to_regclass('public.tasks')
      and (relkind <> 'v' or pg_get_viewdef(oid) !~ '\mdibs\.log\M')
  ) then
    raise exception 'there is a public.tasks already, and it is not Dibs''s'
      using hint = 'Dibs needs that name. Rename yours (alter table public.tasks rename to ...) and push again.';
  end if;
end $$;

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
