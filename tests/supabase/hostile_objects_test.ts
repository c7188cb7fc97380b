// On PostgreSQL 15, too.
// Names lead no function astray, whatever else is called like what it names.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase } from "../support/database.ts";
import { someOfEverything } from "../support/some_of_everything.ts";

Deno.test("no function takes a temporary table or a function of public for its own", async () => {
  await using db = await freshDatabase();
  await layTraps(db.sql);
  const session = db.as("service_role");
  await session`set search_path = pg_temp, public, pg_catalog`;
  await shadowRelations(session);
  await shadowFunctions(db.sql);

  await someOfEverything(session);
  const [{ status }] = await session`select public.dibs_status() as status`;
  assert.deepEqual(status.schedule, { cron: true, net: true });
  await session`select dibs.tick()`;
  await session`select dibs.tidy()`;
  await db.sql`set search_path = public, pg_catalog`;
  await shadowRelations(db.sql);
  await db.sql`select dibs.seal()`;
  assert.equal(await sprung(db.sql), 0);

  // What names nothing in full, in a session like this, is caught.
  for (
    const careless of ["select * from lease", "select * from pg_proc", "select clock_timestamp()"]
  ) {
    await assert.rejects(session.unsafe(careless), /trapped/, careless);
  }
  assert.equal(await sprung(db.sql), 3);
});

Deno.test("whoever deletes a thought cannot smuggle code into what runs as Dibs's owner", async () => {
  await using db = await freshDatabase();
  await someOfEverything(db.sql);
  await db.sql.unsafe(`
    insert into public.thoughts (content) values ('mine'), ('mine, too');
    select public.claim_thoughts(array(select id from public.thoughts where content like 'mine%'), 'next', 'w');
    grant select, delete on public.thoughts to authenticated;
    create policy all_of_them on public.thoughts to authenticated using (true)`);
  await layTraps(db.sql);
  const session = db.as("authenticated");
  await session`set search_path = pg_temp, public, pg_catalog`;
  await shadowRelations(session);
  await session`create temp view freed as select public.spring('freed')`;
  // PostgreSQL looks for types, unlike functions, among the temporary ones first.
  for (const type of ["text", "uuid", "jsonb", "int8range", "timestamptz"]) {
    await session.unsafe(
      `create domain pg_temp.${type} as pg_catalog.${type} check (public.spring('${type}') is null)`,
    );
  }
  const { count } = await session`delete from public.thoughts where content = 'mine'`;
  assert.equal(count, 1);
  assert.equal(await sprung(db.sql), 0);

  // The same function, had it a variable whose type it does not name in full.
  const [{ definition }] = await db.sql`
    select pg_get_functiondef('dibs.pool_freed_thoughts'::regproc) as definition`;
  await db.sql.unsafe(definition.replace("begin", "declare v text := 'x'; begin"));
  await assert.rejects(session`delete from public.thoughts`, /trapped/);
});

Deno.test("strangers cannot hang Dibs's trigger functions on a table of theirs", async () => {
  await using db = await freshDatabase({ regime: "exposed" });
  await db.sql`grant usage on schema dibs to anon`;
  const anon = db.as("anon");
  await anon`create temp table bait (thought_id uuid, work_type text)`;
  const triggers = await db.sql`
    select oid::regprocedure::text as name from pg_proc
    where prorettype = 'trigger'::regtype and pronamespace = 'dibs'::regnamespace`;
  assert(triggers.length > 3);
  for (const { name } of triggers) {
    await assert.rejects(
      anon.unsafe(`create trigger hung after delete on bait
        referencing old table as freed for each statement execute function ${name}`),
      /permission denied for function/,
      name,
    );
  }
});

/** What traps call: it leaves a trace that no rollback and no exception handler can wipe out. */
async function layTraps(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create sequence public.sprung;
    grant all on sequence public.sprung to public;
    create function public.spring(name text) returns boolean language plpgsql set search_path = '' as $$
    begin
      perform pg_catalog.nextval('public.sprung');
      raise 'trapped: %', name;
    end $$;
    grant execute on function public.spring to public`);
}

async function sprung(sql: Sql): Promise<number> {
  const [{ times }] = await sql`
    select case when is_called then last_value else 0 end::int as times from public.sprung`;
  return times;
}

/** In this session, a trap of the name of every table and view, those of the catalogue included. */
async function shadowRelations(sql: Sql): Promise<void> {
  await sql.unsafe(`
    do $$
    declare
      v_name text;
    begin
      for v_name in
        select distinct c.relname from pg_catalog.pg_class c
        where c.relkind in ('r', 'v') and c.relnamespace = any (array['dibs', 'public', 'pg_catalog']::regnamespace[])
      loop
        execute format('create temp view %I as select public.spring(%L)', v_name, v_name);
      end loop;
    end $$`);
}

/**
 * In public, a trap for every function that bodies call, of Dibs or of PostgreSQL, with the same
 * arguments; but for what the tests call themselves.
 */
async function shadowFunctions(sql: Sql): Promise<void> {
  await sql.unsafe(`
    do $do$
    declare
      v_trap text;
    begin
      for v_trap in
        select format('create or replace function public.%I(%s) returns %s language plpgsql as %L', p.proname,
          pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid),
          format('begin perform public.spring(%L); end', p.proname))
        from pg_catalog.pg_proc p
        where p.prokind = 'f' and p.proname not in ('generate_series', 'unnest')
          and not (p.proargtypes::oid[] && array['internal', 'cstring', '"any"']::regtype[]::oid[])
          and (p.pronamespace = 'dibs'::regnamespace and p.prorettype <> 'trigger'::regtype
            or p.pronamespace = 'pg_catalog'::regnamespace and p.proname in (
              select (regexp_matches(d.prosrc, '\\m(\\w+)\\(', 'g'))[1] from pg_catalog.pg_proc d
              where d.pronamespace in ('dibs'::regnamespace, 'public'::regnamespace)))
      loop
        execute v_trap;
      end loop;
      grant execute on all functions in schema public to public;
    end $do$`);
}
