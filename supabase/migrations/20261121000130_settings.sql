-- Settings: one row, a typed column each. What each is for, its unit and its bounds stand in its comment.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create table if not exists dibs.settings (
  only_row boolean primary key default true check (only_row),
  tick_seconds int not null default 5 check (tick_seconds between 1 and 59),
  wake_debounce interval not null default '1 s' check (wake_debounce between '0 s' and '1 hour'),
  tasks_per_drain int not null default 100 check (tasks_per_drain between 1 and 1000000),
  max_drains int not null default 4 check (max_drains between 1 and 1000),
  max_invocations_per_month bigint check (max_invocations_per_month >= 0),
  dispatch_work_types text[] not null default '{}' check (array_position(dispatch_work_types, null) is null),
  drain_batch int not null default 50 check (drain_batch between 1 and 1000),
  drain_lease_seconds int not null default 120 check (drain_lease_seconds between 1 and 86400),
  max_losses int not null default 10 check (max_losses between 1 and 1000),
  keep_ended_tasks interval check (keep_ended_tasks >= '0 s'),
  keep_dispatches interval not null default '7 days' check (keep_dispatches >= '1 hour'),
  keep_requests interval not null default '1 day' check (keep_requests >= '1 hour'),
  keep_cron_runs interval not null default '1 day' check (keep_cron_runs >= '0 s'),
  url_secret text not null default 'dibs_project_url' check (url_secret <> ''),
  dispatch_secret text not null default 'dibs_dispatch_secret' check (dispatch_secret <> '')
);
comment on table dibs.settings is 'The settings, in one row. Change one with dibs.configure.';
-- Not "on conflict": that would wait for whoever is changing a setting this moment.
insert into dibs.settings (only_row) select true where not exists (select from dibs.settings);

do $$
begin
  -- A comment locks the table, too.
  if col_description('dibs.settings'::regclass, 2) is not null then return; end if;
  comment on column dibs.settings.tick_seconds is
    'Seconds between two ticks, 1 to 59. pg_cron before 1.5 ticks once a minute whatever it says.';
  comment on column dibs.settings.wake_debounce is
    'Enqueues within this time wake dispatch once: an interval of up to an hour, such as 1 second.';
  comment on column dibs.settings.tasks_per_drain is 'One drain for so many due tasks, 1 to 1000000.';
  comment on column dibs.settings.max_drains is 'Never more drains of tasks at once, 1 to 1000.';
  comment on column dibs.settings.max_invocations_per_month is
    'Never more calls of dispatch and drain in a month of UTC, from 0. Null: as many as the work takes.';
  comment on column dibs.settings.dispatch_work_types is
    'Kinds of work on thoughts that dispatch keeps going, such as {enrichment}, and on rows of other sources, with the
name of the source before, such as {documents/index}. Tasks need no list.';
  comment on column dibs.settings.drain_batch is 'The most a drain claims in one call, 1 to 1000.';
  comment on column dibs.settings.drain_lease_seconds is
    'How long what a drain claimed stays with it after it has ended without a word, 1 to 86400 seconds.';
  -- A lost lease is no fault of its tasks, so its cap is larger than that of failures.
  comment on column dibs.settings.max_losses is 'Lost leases until a task is failed for good, 1 to 1000.';
  comment on column dibs.settings.keep_ended_tasks is
    'How long tasks stay after they have ended: an interval such as 30 days. Null: until somebody calls prune_tasks.
set_retention says otherwise for a type.';
  comment on column dibs.settings.keep_dispatches is
    'How long the records of calls to dispatch stay: an interval of an hour or more.';
  comment on column dibs.settings.keep_requests is
    'How long a repeated request id is answered as before: an interval of an hour or more.';
  comment on column dibs.settings.keep_cron_runs is
    'How long what pg_cron notes of its runs of Dibs stays: an interval.';
  comment on column dibs.settings.url_secret is 'The entry of the Vault with the address of this project.';
  comment on column dibs.settings.dispatch_secret is 'The entry of the Vault with what opens the dispatch function.';
end $$;

-- Apart, so that a database that has the others gets them too.
do $$
begin
  if exists (
    select from pg_catalog.pg_attribute where attrelid = 'dibs.settings'::regclass and attname = 'failures_before_rest')
  then return; end if;
  alter table dibs.settings
    add column failures_before_rest int not null default 3 check (failures_before_rest between 1 and 20),
    add column shortest_rest interval not null default '10 s' check (shortest_rest between '1 s' and '1 day'),
    add column longest_rest interval not null default '5 min' check (longest_rest between '1 s' and '1 day');
  comment on column dibs.settings.failures_before_rest is
    'After so many failed calls of dispatch in a row it is left alone for a while, 1 to 20.';
  comment on column dibs.settings.shortest_rest is
    'How long at first, twice as long after each further failure: an interval of a second to a day.';
  comment on column dibs.settings.longest_rest is 'And how long at most: an interval of a second to a day.';
end $$;

create or replace function dibs.configure(p_setting text, p_value text) returns text
  language plpgsql set search_path = '' as $$
declare
  v_column record;
  v_value text;
begin
  select attname as name, format_type(atttypid, atttypmod) as type, col_description(attrelid, attnum) as meaning
    into v_column from pg_catalog.pg_attribute
    where attrelid = 'dibs.settings'::regclass and attnum > 1 and not attisdropped and attname = p_setting;
  if not found then
    perform dibs.refuse('PT400', 'p_setting must be the name of a setting', 'There are: ' || (
      select string_agg(attname, ', ' order by attnum) from pg_catalog.pg_attribute
      where attrelid = 'dibs.settings'::regclass and attnum > 1 and not attisdropped) || '.');
  end if;
  if v_column.name = 'keep_ended_tasks' then perform dibs.stop_pruning(); end if;
  begin
    execute format('update dibs.settings set %I = $1::%s where only_row returning %1$I::text',
      v_column.name, v_column.type) into v_value using p_value;
  exception when data_exception or check_violation or not_null_violation then
    perform dibs.refuse('PT400', 'p_value is none that ' || v_column.name || ' can have', v_column.meaning);
  end;
  if v_column.name = 'tick_seconds' then perform dibs.schedule(); end if;
  return v_value;
end $$;
comment on function dibs.configure(text, text) is
  'Change a setting.
p_setting: the name of a column of dibs.settings. p_value: as text, null where it may be; its comment says what it
may be.
Returns the value that it has now. Errors: PT400 for a name or a value that it cannot be, saying which it can.';

select dibs.seal();
