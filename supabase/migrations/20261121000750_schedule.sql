-- The schedule: what pg_cron runs, and how often. Where there is no pg_cron, everything else works all the same.

set local lock_timeout = '3s';
select pg_advisory_xact_lock(hashtextextended('dibs.migrate', 0));

create or replace function dibs.schedule() returns text
  language plpgsql set search_path = '' as $$
declare
  v_tick text := (select tick_seconds from dibs.settings) || ' seconds';
begin
  if to_regprocedure('cron.schedule(text, text, text)') is null then return null; end if;
  begin
    perform cron.schedule('dibs-tick', v_tick, 'select dibs.tick()');
  exception when others then
    -- pg_cron before 1.5 knows minutes only.
    v_tick := '* * * * *';
    perform cron.schedule('dibs-tick', v_tick, 'select dibs.tick()');
  end;
  perform cron.schedule('dibs-prune', '7 * * * *', 'select dibs.prune()');
  return v_tick;
end $$;
comment on function dibs.schedule() is
  'Make the jobs of pg_cron, or change them to what dibs.settings says. For the role postgres.
Returns the schedule of the tick, null where there is no pg_cron.';

create or replace function dibs.unschedule() returns void
  language plpgsql set search_path = '' as $$
begin
  if to_regclass('cron.job') is null then return; end if;
  perform cron.unschedule(jobid) from cron.job where jobname in ('dibs-tick', 'dibs-prune');
end $$;
comment on function dibs.unschedule() is
  'Remove the jobs that dibs.schedule made: nothing ticks any more, and nothing of it is left in pg_cron.';

create or replace function dibs.prune() returns table (ended_tasks bigint, cron_runs bigint)
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  v_settings dibs.settings := (select s from dibs.settings s);
begin
  ended_tasks := dibs.go_on_pruning(clock_timestamp() + interval '1 s', p_plan => true);
  cron_runs := 0;
  if to_regclass('cron.job_run_details') is not null then
    delete from cron.job_run_details
      where jobid in (select jobid from cron.job where jobname in ('dibs-tick', 'dibs-prune'))
        and end_time < clock_timestamp() - v_settings.keep_cron_runs;
    get diagnostics cron_runs = row_count;
  end if;
  return next;
end $$;
comment on function dibs.prune() is
  'Delete tasks that ended longer ago than they are to stay, for a second, and leave the rest to the ticks; and what
pg_cron noted of runs of the two jobs before settings.keep_cron_runs, which pg_cron itself never does. Returns how many
of each were deleted.';

do $$
declare
  v_extension text;
begin
  foreach v_extension in array array['pg_net', 'pg_cron'] loop
    -- Both may be stood in for, and then are not to be made.
    continue when to_regnamespace(replace(v_extension, 'pg_', '')) is not null
      or not exists (select from pg_available_extensions where name = v_extension);
    begin
      execute format('create extension %I with schema %I', v_extension,
        case v_extension when 'pg_net' then 'extensions' else 'pg_catalog' end);
    exception when others then
      raise warning 'Dibs: % is there, but could not be enabled: %', v_extension, sqlerrm using
        hint = 'Enable it under Database > Extensions, or as a superuser. Then run: select dibs.schedule();';
    end;
  end loop;
  if dibs.schedule() is null then
    raise notice
      'Dibs: without pg_cron nothing ticks. Run "select dibs.tick()" every few seconds, or POST to dispatch.';
  end if;
end $$;

select dibs.seal();
