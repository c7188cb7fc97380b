-- Takes Dibs out of a project: its jobs, its secrets, and everything in the database but public.thoughts
-- and other tables whose rows were claimed.
-- All tasks and claims go with it. Whatever of yours depends on them stops it, and then nothing has changed:
--   psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f supabase/uninstall.sql
begin;

do $$
declare
  v_function regprocedure;
begin
  if to_regprocedure('dibs.unschedule()') is null then
    raise exception 'There is no Dibs in this database, or one that was not migrated to the end.';
  end if;

  -- Before the first drop, so that it and a tick or a claim that is under way do not wait for each other.
  perform dibs.lock_together(array(
    select oid::regclass from pg_catalog.pg_class
      where relnamespace = 'dibs'::regnamespace and relkind in ('r', 'p', 'v')
    union select to_regclass('public.tasks')
    union select relation from dibs.claim_source
    union select to_regclass('public.' || dibs.claims_table(name)) from dibs.claim_source), p_tries => 40);
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
