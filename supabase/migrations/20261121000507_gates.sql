-- Gates: what keeps due tasks from being claimed. A type, a key within a type, or everything can be paused; a type
-- and its keys can have a limit of how many run at once, and a rate of how many are claimed in a time; and tasks with
-- an order key go one at a time.
--
-- Tasks that have a key or an order key, and those of a type that has a gate, do not wait in `ready` but in `gated`:
--
--   ready ── a claim finds a gate ──▶ gated ── a claim that every gate lets through ──▶ lease
--
-- Only claims decide. Enqueues and whatever puts tasks back know nothing of gates, so that none can be passed by.
-- Who claims through gates, and who changes them, is told apart by a lock on the table of leases: a gate that was
-- committed holds for every claim that ends after.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create table if not exists dibs.gate (
  type text not null,
  scope text not null constraint scope_is_known check (scope in ('everything', 'type', 'each key', 'key')),
  key text collate "C" not null default '',
  most int,
  rate int,
  period interval,
  burst int,
  paused_at timestamptz,
  primary key (type, scope, key)
);
comment on table dibs.gate is
  'What is set: a row for everything (of type ''''), a type as a whole, each of its keys, or one of them. most: so many
run at once. rate, period, burst: so many are claimed in a period, and so many at once after a rest. paused_at: none
is claimed. What a row of a key leaves null, the one for each key says.';

-- Non-transactional on purpose: a transaction whose snapshot is too old to see the change learns of it.
create sequence if not exists dibs.gates_changed;
comment on sequence dibs.gates_changed is 'The transaction that changed gates last.';

-- What a task brings -------------------------------------------------------------------------------

create table if not exists dibs.task_key (
  task bigint primary key,
  type text not null,
  key text collate "C" not null,
  order_key text collate "C" not null
);
comment on table dibs.task_key is
  'Keys and order keys of the tasks that have one; empty where it has not. Written once.';

create table if not exists dibs.in_order (
  type text not null,
  order_key text collate "C" not null,
  task bigint not null,
  primary key (type, order_key, task)
);
comment on table dibs.in_order is
  'Tasks with an order key that have not ended, wherever they are: the first of an order key is the one that may run.';

-- What waits at a gate -----------------------------------------------------------------------------

create table if not exists dibs.gated (
  type text not null,
  priority smallint not null,
  key text collate "C" not null default '',
  order_key text collate "C" not null default '',
  run_at timestamptz not null,
  run int8multirange not null,
  plain boolean not null default false
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
comment on table dibs.gated is
  'Due runs that wait at gates: of one task where it has a key. Inserted and deleted only. plain: as in dibs.ready,
but that it may have a key.';
do $$
begin
  if to_regclass('dibs.gated_in_turn') is null then
    create index gated_in_turn on dibs.gated (type, priority, key, order_key, run_at, lower(run));
  end if;
  if to_regclass('dibs.gated_by_age') is null then
    create index gated_by_age on dibs.gated (type, priority, run_at);
  end if;
  if to_regclass('dibs.gated_by_page') is null then
    create index gated_by_page on dibs.gated ((lower(run) >> 7));
  end if;
  if to_regclass('dibs.gated_in_order') is null then
    create index gated_in_order on dibs.gated (lower(run)) where order_key <> '';
  end if;
end $$;

create table if not exists dibs.turn (
  type text not null,
  priority smallint not null,
  key text collate "C" not null,
  order_key text collate "C" not null,
  made_at timestamptz not null
);
comment on table dibs.turn is
  'Whose tasks were claimed last, for claims to go on with the next: the newest row of a lane says which key, the newest
of a key which order key. Inserted, never updated; never trusted.';
do $$
begin
  if to_regclass('dibs.turn_newest') is null then
    create index turn_newest on dibs.turn (type, priority, made_at desc);
  end if;
  if to_regclass('dibs.turn_newest_of_key') is null then
    create index turn_newest_of_key on dibs.turn (type, priority, key, made_at desc);
  end if;
end $$;

-- What passed --------------------------------------------------------------------------------------

create table if not exists dibs.slot (
  type text not null,
  key text collate "C" not null,
  order_key text collate "C" not null,
  n int not null,
  task bigint not null,
  fence bigint not null,
  primary key (type, key, order_key, n)
);
comment on table dibs.slot is
  'The places of a limit: of a type, of one of its keys, or of an order key, whose limit is one. A place is taken while
the lease of that fence holds that task, so that nobody has to give it back.';

create table if not exists dibs.bucket (
  type text not null,
  key text collate "C" not null,
  spent_until timestamptz not null,
  primary key (type, key)
);
comment on table dibs.bucket is
  'What was claimed under a rate: until when it takes to come by as much as was spent. Updated in place, by one claim
at a time.';

do $$
begin
  if exists (
    select from pg_catalog.pg_attribute where attrelid = 'dibs.settings'::regclass and attname = 'priority_aging')
  then return; end if;
  alter table dibs.settings add column priority_aging interval check (priority_aging >= '1 s');
  comment on column dibs.settings.priority_aging is
    'Waiting for so long counts as one priority more, an interval of a second or more. Null: priorities never change.';
end $$;

-- Small questions ----------------------------------------------------------------------------------

create or replace function dibs.see_gates() returns void
  language plpgsql set search_path = '' as $$
declare
  v_changed_by xid8;
begin
  -- Whoever changes gates holds a lock against this one until it has committed.
  lock table dibs.lease in row exclusive mode;
  if current_setting('transaction_isolation') = 'read committed' then return; end if;
  v_changed_by := (select last_value::text::xid8 from dibs.gates_changed);
  if not pg_visible_in_snapshot(v_changed_by, pg_current_snapshot())
    and pg_xact_status(v_changed_by) = 'committed' then
    raise exception using errcode = '40001', message = 'gates were changed since this transaction began',
      hint = 'Begin the transaction again.';
  end if;
end $$;
comment on function dibs.see_gates() is
  'From here to the end of the transaction gates stay as the next statement sees them. Fails to serialize (40001) where
the snapshot of the transaction is older than they are.';

create or replace function dibs.gate_of(
    p_type text, p_key text, out most int, out rate int, out period interval, out burst int, out paused boolean)
  language plpgsql stable set search_path = '' as $$
begin
  select coalesce(own.most, each.most), coalesce(own.rate, each.rate),
      case when own.rate is null then each.period else own.period end,
      case when own.rate is null then each.burst else own.burst end, own.paused_at is not null
    into most, rate, period, burst, paused
    from (values (p_type)) asked(type)
    left join dibs.gate own
      on own.type = asked.type and own.scope = case p_key when '' then 'type' else 'key' end and own.key = p_key
    left join dibs.gate each on each.type = asked.type and each.scope = 'each key' and each.key = '' and p_key <> '';
end $$;
comment on function dibs.gate_of(text, text) is
  'The gate of a type (key empty) or of a key of it (null: of no key); nulls where it has none.';

create or replace function dibs.is_label(p_value jsonb, p_longest int) returns boolean
  language plpgsql immutable set search_path = '' as $$
begin
  return jsonb_typeof(p_value) = 'string' and p_value #>> '{}' ~ '\S' and length(p_value #>> '{}') <= p_longest
    and p_value #>> '{}' !~ '[[:cntrl:]]';
end $$;
comment on function dibs.is_label(jsonb, int) is 'Whether this is a text that dibs.check_label lets pass.';

create or replace function dibs.all_paused() returns boolean
  language plpgsql stable set search_path = '' as $$
begin
  return exists (select from dibs.gate where type = '' and scope = 'everything' and key = '');
end $$;
comment on function dibs.all_paused() is 'Whether everything is paused.';

-- Volatile, that is with eyes of its own: where a place was taken since the statement began that asks for one, Postgres
-- looks at the place as it is now, and its lease must be seen as well.
create or replace function dibs.holds(p_fence bigint, p_task bigint) returns boolean
  language plpgsql volatile set search_path = '' as $$
begin
  return exists (select from dibs.lease l where l.fence = p_fence and l.held @> p_task);
end $$;
comment on function dibs.holds(bigint, bigint) is 'Whether a lease holds this task.';

select dibs.seal();
