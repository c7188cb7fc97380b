-- Takes Dibs out of a project: its jobs, its secrets, and everything in the database but public.thoughts
-- and other tables whose rows were claimed.
-- All tasks and claims go with it. Whatever of yours depends on them stops it, and then nothing has changed:
--   psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f supabase/uninstall.sql
begin;

do $$
declare
  v_relations text;
  v_function regprocedure;
begin
  if to_regprocedure('dibs.unschedule()') is null then
    raise exception 'There is no Dibs in this database, or one that was not migrated to the end.';
  end if;

  -- Every lock before the first drop: a tick or a claim takes the same ones in another order, and each would wait
  -- for the other. Who does not get them all at once lets go, so that the others get on.
  select string_agg(distinct relation::text, ', ') into v_relations from (
    select c.oid::regclass as relation from pg_catalog.pg_class c
      where relnamespace = 'dibs'::regnamespace and relkind in ('r', 'p', 'v')
    union all select to_regclass('public.tasks')
    union all select relation from dibs.claim_source
    union all select to_regclass('public.' || dibs.claims_table(name)) from dibs.claim_source
  ) of_dibs;
  perform set_config('lock_timeout', '300ms', true);
  for v_try in 1..40 loop
    begin
      execute format('lock table %s in access exclusive mode', v_relations);
      exit;
    exception when lock_not_available or deadlock_detected then
      if v_try = 40 then raise; end if;
    end;
  end loop;

  perform dibs.drop_claim_source(name) from dibs.claim_source where name <> 'thoughts';
  perform dibs.unschedule();
  if to_regclass('vault.secrets') is not null then
    delete from vault.secrets
      where name in (select unnest(array[url_secret, dispatch_secret]) from dibs.settings);
  end if;
  for v_function in
    select oid from pg_catalog.pg_proc
    where pronamespace = 'public'::regnamespace and proname = any (dibs.interface())
  loop
    execute format('drop function %s', v_function);
  end loop;
  drop view public.tasks;
  drop schema dibs cascade;
  drop table public.thought_work_claims;
end $$;

commit;
