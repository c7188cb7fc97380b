// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Sql } from "postgres";
import { applyMigrations, listMigrations } from "../../scripts/stack/migrations.ts";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { freshDatabase } from "../support/database.ts";
import { startBlocked } from "../support/locks.ts";
import { someOfEverything } from "../support/some_of_everything.ts";

const UNINSTALL = await Deno.readTextFile(join(PROJECT_DIR, "supabase/uninstall.sql"));

Deno.test("uninstalled, the database is what it was, and has its thoughts", async () => {
  await using db = await freshDatabase({ migrated: false });
  await db
    .sql`create table public.thoughts (id uuid primary key default gen_random_uuid(), content text not null, metadata jsonb)`;
  const before = await objects(db.sql);
  const migrations = await listMigrations();
  for (let time = 1; time <= 2; time++) {
    await applyMigrations(db.sql, migrations);
    await someOfEverything(db.sql);
    await db.sql`select dibs.set_row_key('thoughts', 'content')`;
    await db.sql`select vault.create_secret('https://project.example', 'dibs_project_url')`;
    const [{ thoughts }] = await db.sql`select count(*)::int as thoughts from public.thoughts`;
    await db.connect().unsafe(UNINSTALL);
    assert.deepEqual(await objects(db.sql), before);
    assert.equal((await db.sql`select from public.thoughts`).length, thoughts);
    assert.equal((await db.sql`select from cron.job`).length, 0);
    assert.equal((await db.sql`select from vault.secrets`).length, 0);
  }
});

Deno.test("a view of theirs on tasks stops it, and then nothing has changed", async () => {
  await using db = await freshDatabase();
  await db.sql`create view public.theirs as select id from public.tasks`;
  const before = await objects(db.sql);
  await assert.rejects(() => db.connect().unsafe(UNINSTALL), /other objects depend on it/);
  assert.deepEqual(await objects(db.sql), before);
  assert.equal((await db.sql`select from cron.job`).length, 2);
});

Deno.test("whoever still works in it when it goes gets to the end", async () => {
  await using db = await freshDatabase();
  const tables = await db.sql`
    select oid::regclass::text as name from pg_class
    where relnamespace = 'dibs'::regnamespace and relkind = 'r' order by oid`;
  const [first, last] = [tables[0].name, tables.at(-1)!.name];
  for (const [held, wanted] of [[first, last], [last, first]]) {
    const worker = db.connect();
    await worker`begin`;
    await worker`lock table ${worker(held)} in access share mode`;
    const { done } = await startBlocked(db.sql, db.connect(), (sql) => sql.unsafe(UNINSTALL));
    await worker`lock table ${worker(wanted)} in access share mode`;
    await worker`rollback`;
    await done;
    await applyMigrations(db.sql, await listMigrations());
  }
});

Deno.test("where there is no Dibs it says so", async () => {
  await using db = await freshDatabase({ migrated: false });
  await assert.rejects(() => db.connect().unsafe(UNINSTALL), /There is no Dibs in this database/);
});

/** Everything that has a name, outside of what PostgreSQL and the CLI bring themselves. */
async function objects(sql: Sql): Promise<string[]> {
  const rows = await sql`
    with named as (
      select 'pg_namespace'::regclass as catalog, oid from pg_namespace
      union all select 'pg_class'::regclass, oid from pg_class
      union all select 'pg_proc'::regclass, oid from pg_proc
      union all select 'pg_type'::regclass, oid from pg_type
      union all select 'pg_trigger'::regclass, oid from pg_trigger where not tgisinternal
      union all select 'pg_constraint'::regclass, oid from pg_constraint
      union all select 'pg_event_trigger'::regclass, oid from pg_event_trigger
    )
    select o.type || ' ' || o.identity as object
    from named, pg_identify_object(catalog, oid, 0) o
    where o.schema is distinct from 'pg_catalog' and o.schema is distinct from 'information_schema'
      and coalesce(o.schema, '') !~ '^pg_(toast|temp)' and o.identity !~ '^pg_(toast|temp)'
    order by 1`;
  return rows.map(({ object }) => object);
}
