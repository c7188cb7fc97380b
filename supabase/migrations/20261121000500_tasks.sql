-- Where tasks are kept.
--
-- Every task has a number. Tasks enqueued together have neighbouring numbers, on pages of 128. Tasks of
-- a page that share their fate are a run, mostly neighbours: what waits and what came of it are runs, so
-- that moving a hundred tasks writes a row or two. A task is in exactly one place: in `ready`, held by
-- a `lease`, or in `outcome`; or in `waiting`, while it depends on others (505_dependencies.sql).
--
--   log ── written once ───────────────── what each task is
--   ready ── claim ──▶ lease ── settle ──▶ outcome ── where each task is
--     ▲                  │
--     └─ failed, lost, released
--
-- Nothing hot is updated in place: rows are inserted and deleted, so an old snapshot held open
-- elsewhere cannot make version chains grow under the workers.
--
-- The functions are in plpgsql also where SQL would do: it plans once a session, SQL at every call.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

-- Numbers and ids ----------------------------------------------------------------------------------
-- A run never crosses a page of 128 numbers, so "which run is task n in" is a lookup by page.
-- A single task takes the next number, so that singles become neighbours when claimed together;
-- tasks enqueued together take pages of their own, from 2^46 on where single numbers never come.

create sequence if not exists dibs.task_number;
create sequence if not exists dibs.task_page increment 128 start 70368744177664;

create or replace function dibs.id_of(p_task bigint, p_salt bigint default 0) returns uuid
  language plpgsql immutable parallel safe set search_path = '' as $$
begin
  return encode(
    int8send(p_task << 16 | 32768) || int8send(p_salt & 4611686018427387903 | (-9223372036854775808)), 'hex')::uuid;
end $$;
comment on function dibs.id_of(bigint, bigint) is
  'The id of a task: a version 8 uuid of 48 bits of number and 62 bits of salt.
Ids sort by number, so a run is a range of the log''s key.';

create or replace function dibs.task_of(p_id uuid) returns bigint
  language plpgsql immutable parallel safe set search_path = '' as $$
begin
  return ('x' || encode(substr(uuid_send(p_id), 1, 6), 'hex'))::bit(48)::bigint;
end $$;
comment on function dibs.task_of(uuid) is 'The number in a task''s id.';

create table if not exists dibs.id_seed (
  only_row boolean primary key default true check (only_row),
  seed bigint not null default ('x' || left(md5(gen_random_uuid()::text), 16))::bit(64)::bigint
);
comment on table dibs.id_seed is
  'The salt of a task''s id is hashint8extended(number, seed): no two projects have the same ids, nobody can guess
one, and from a number its id can be told. Drawn once; a change would hide every task there is.';
insert into dibs.id_seed default values on conflict do nothing;

create or replace function dibs.runs_of(p_tasks int8multirange) returns setof int8multirange
  language plpgsql immutable parallel safe set search_path = '' as $$
begin
  if lower(p_tasks) >> 7 = (upper(p_tasks) - 1) >> 7 then
    return next p_tasks;
    return;
  end if;
  return query
    select p_tasks * int8range(page << 7, (page + 1) << 7)::int8multirange
    from (
      select distinct generate_series(lower(r) >> 7, (upper(r) - 1) >> 7) as page from unnest(p_tasks) r order by page
    ) p;
end $$;
comment on function dibs.runs_of(int8multirange) is 'The runs that make up a set of tasks, cut where a page ends.';

-- What each task is --------------------------------------------------------------------------------

create table if not exists dibs.log (
  id uuid primary key,
  run_at timestamptz not null,
  created_at timestamptz not null default now(),
  priority smallint not null default 0,
  max_attempts smallint not null default 5,
  type text not null,
  payload jsonb not null default '{}',
  unique_key text,
  made_by xid8 not null default pg_current_xact_id()
);
comment on table dibs.log is
  'Every task as it was enqueued; written once, unless it is replaced, moved or redriven while nobody has it.';

create or replace function dibs.log_of(p_tasks int8multirange) returns setof dibs.log
  language plpgsql stable set search_path = '' as $$
begin
  return query
    select l.* from unnest(p_tasks) r,
      -- offset 0: from the run to the log's key, whatever the statistics say.
      lateral (
        select * from dibs.log l
        where l.id >= encode(int8send(lower(r) << 16) || int8send(0), 'hex')::uuid
          and l.id < encode(int8send(upper(r) << 16) || int8send(0), 'hex')::uuid
        offset 0
      ) l;
end $$;
comment on function dibs.log_of(int8multirange) is 'What tasks are, by their numbers.';

-- Where each task is -------------------------------------------------------------------------------
-- `ready` is vacuumed by what went, not by what is there: a long backlog would put that off until a fifth as much had
-- gone. All other tables keep PostgreSQL's settings. Room on the page for what is updated at all, a lease by its
-- renewal and progress by its worker, makes no difference: without it too, all renewals are heap-only. All this is
-- measured by `npm run bench -- tables`; docs/performance.md has the figures.

create table if not exists dibs.ready (
  run_at timestamptz not null,
  run int8multirange not null,
  priority smallint not null,
  plain boolean not null default false,
  type text not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
comment on table dibs.ready is
  'Runs that wait, each in the lane of its type and priority; inserted and deleted only. plain: none of its tasks
has a history or a unique key, so that whoever moves it need not look for any.';
do $$
begin
  if to_regclass('dibs.ready_in_claim_order') is null then
    create index ready_in_claim_order on dibs.ready (priority, run_at, lower(run));
  end if;
  if to_regclass('dibs.ready_in_claim_order_by_type') is null then
    create index ready_in_claim_order_by_type on dibs.ready (type, priority, run_at, lower(run));
  end if;
  if to_regclass('dibs.ready_by_page') is null then
    create index ready_by_page on dibs.ready ((lower(run) >> 7));
  end if;
end $$;

create table if not exists dibs.lease (
  fence bigint primary key default nextval('dibs.fence'),
  started_at timestamptz not null,
  expires_at timestamptz not null,
  plain boolean not null default false,
  held int8multirange not null,
  worker_id text not null,
  type text not null default ''
);
comment on table dibs.lease is
  'One row per claim call that was granted something: the tasks it still holds, until when. type: of all of them; ''''
where they are of several.';

create table if not exists dibs.outcome (
  run int8multirange not null,
  started_at timestamptz,
  completed_at timestamptz not null,
  fence bigint,
  status text not null,
  worker_id text,
  type text not null default '',
  made_by xid8 not null default pg_current_xact_id()
);
comment on table dibs.outcome is
  'Runs that ended alike: completed, failed or cancelled. No check holds it to these, since every insert would compile
the check anew. No fence: ended by a person or an update of public.tasks. type: as in dibs.lease.';
do $$
begin
  -- For databases that have these tables from before.
  if not exists (
    select from pg_catalog.pg_attribute where attrelid = 'dibs.outcome'::regclass and attname = 'type') then
    alter table dibs.lease add column type text not null default '';
    alter table dibs.outcome add column type text not null default '';
  end if;
  if to_regclass('dibs.outcome_by_type') is null then
    create index outcome_by_type on dibs.outcome (type, completed_at);
  end if;
  if to_regclass('dibs.outcome_by_page') is null then
    create index outcome_by_page on dibs.outcome ((lower(run) >> 7));
  end if;
  if to_regclass('dibs.outcome_that_went_wrong') is null then
    create index outcome_that_went_wrong on dibs.outcome (status, completed_at) where status <> 'completed';
  end if;
end $$;

-- What few tasks have ------------------------------------------------------------------------------

create table if not exists dibs.attempt (
  task bigint not null,
  n smallint not null,
  outcome text not null constraint outcome_is_known check (outcome in ('failed', 'lost', 'retried', 'redriven')),
  started_at timestamptz,
  ended_at timestamptz not null,
  fence bigint,
  worker_id text,
  error text,
  made_by xid8 not null default pg_current_xact_id(),
  primary key (task, n)
);
comment on table dibs.attempt is
  'Attempts that did not complete: failed (the handler said so), lost (the lease ran out). retried, redriven: from
here on counting starts anew.';
-- Before there was redriving.
do $$
begin
  if not exists (
    select from pg_catalog.pg_constraint where conname = 'outcome_is_known' and conrelid = 'dibs.attempt'::regclass
      and pg_get_constraintdef(oid) like '%redriven%')
  then
    alter table dibs.attempt drop constraint outcome_is_known, add constraint outcome_is_known
      check (outcome in ('failed', 'lost', 'retried', 'redriven'));
  end if;
end $$;

create table if not exists dibs.result (
  task bigint primary key,
  result jsonb not null
);
comment on table dibs.result is 'What completed tasks came to, where their handler said.';

create table if not exists dibs.progress (
  task bigint primary key,
  progress jsonb not null,
  reported_at timestamptz not null
);
comment on table dibs.progress is 'How far running tasks have come, as their worker last said.';

create table if not exists dibs.unique_key (
  type text not null,
  key text not null,
  task bigint not null,
  primary key (type, key)
);
comment on table dibs.unique_key is
  'Keys of tasks that have not ended, or that hold them longer; a second task of the same type and key is not
enqueued.';
do $$
begin
  if to_regclass('dibs.unique_key_by_task') is null then
    create index unique_key_by_task on dibs.unique_key (task);
  end if;
end $$;

do $$
begin
  -- Before anything was counted: what is there was made by this transaction, as far as anybody can tell.
  if not exists (
    select from pg_catalog.pg_attribute where attrelid = 'dibs.log'::regclass and attname = 'made_by') then
    alter table dibs.log add column made_by xid8 not null default pg_current_xact_id();
    alter table dibs.outcome add column made_by xid8 not null default pg_current_xact_id();
    alter table dibs.attempt add column made_by xid8 not null default pg_current_xact_id();
  end if;
  if to_regclass('dibs.attempt_by_end') is null then
    create index attempt_by_end on dibs.attempt (ended_at);  -- whole, or lookups by task might use it
  end if;
end $$;

-- Where claims begin to look -----------------------------------------------------------------------

create table if not exists dibs.lane (
  type text,
  priority smallint,
  primary key (type, priority)
);
comment on table dibs.lane is
  'Types and priorities that ever had a task. The type '''' stands for all: the lane of claims that name no type.';
insert into dibs.lane values ('', 0) on conflict do nothing;

create table if not exists dibs.hint (
  type text not null,
  priority smallint not null,
  made_at timestamptz not null,
  begin_run_at timestamptz not null,
  begin_task bigint not null,
  seen_run_at timestamptz not null,
  seen_task bigint not null,
  run_length real not null,
  sweep_at timestamptz not null,
  sweep_if_empty_at timestamptz not null,
  in_turn boolean not null default true
);
comment on table dibs.hint is
  'Where the work of a lane begins, so that claims step over the dead entries an old snapshot keeps before it; how
long its runs are; and when to look from its start again, since what was committed late lies before. in_turn: something
waits at gates or grows in priority, so that the first run is not simply whose turn it is.
Inserted, never updated; never trusted.';
do $$
begin
  if not exists (
    select from pg_catalog.pg_attribute where attrelid = 'dibs.hint'::regclass and attname = 'in_turn') then
    alter table dibs.hint add column in_turn boolean not null default true;
  end if;
  if to_regclass('dibs.hint_newest') is null then
    create index hint_newest on dibs.hint (type, priority, made_at desc);
  end if;
end $$;

select dibs.define_view('dibs.hinted_lane', $$
select l.type, l.priority, coalesce(h.made_at, '-infinity') as made_at,
  coalesce(h.begin_run_at, '-infinity') as begin_run_at, coalesce(h.begin_task, 0) as begin_task,
  coalesce(h.seen_run_at, '-infinity') as seen_run_at, coalesce(h.seen_task, 0) as seen_task,
  coalesce(h.run_length, 100) as run_length, coalesce(h.sweep_at, '-infinity') as sweep_at,
  coalesce(h.sweep_if_empty_at, '-infinity') as sweep_if_empty_at, coalesce(h.in_turn, true) as in_turn
from dibs.lane l
left join lateral (
  select * from dibs.hint h where h.type = l.type and h.priority = l.priority order by h.made_at desc limit 1
) h on true
$$);
comment on view dibs.hinted_lane is 'Lanes, each with its newest hint.';

select dibs.seal();
