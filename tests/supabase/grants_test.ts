import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase, type TestDatabase } from "../support/database.ts";
import { grantsOf } from "../support/grants.ts";
import { applyMigrations, listMigrations } from "../../scripts/stack/migrations.ts";
import { someOfEverything } from "../support/some_of_everything.ts";

const WANTED = (await Deno.readTextFile(new URL("grants.txt", import.meta.url)))
  .trimEnd().split("\n").filter((line) => !line.startsWith("#"));

/** Both default privileges a project can have: new objects hidden from the API, or exposed to it. */
function testBoth(name: string, test: (db: TestDatabase) => Promise<void>, migrated = true): void {
  for (const regime of ["hidden", "exposed"] as const) {
    Deno.test(`${name}, where new objects are ${regime}`, async () => {
      await using db = await freshDatabase({ regime, migrated });
      await test(db);
    });
  }
}

testBoth(
  "the service role has exactly what grants.txt says, and nobody else anything",
  async (db) => {
    assert.deepEqual(await grantsOf(db.sql), WANTED);
  },
);

testBoth("no migration leaves anything open for the next one to close", async (db) => {
  const [schema, ...rest] = await listMigrations();
  await applyMigrations(db.sql, [schema]);
  // Functions made before anything can seal them are behind a schema nobody may enter.
  const [{ open }] = await db.sql`
    select has_schema_privilege('public', 'dibs', 'usage') or has_schema_privilege('anon', 'dibs', 'usage') as open`;
  assert.equal(open, false);
  for (const migration of rest) {
    await applyMigrations(db.sql, [migration]);
    const wrong = (await grantsOf(db.sql)).filter((line) => !WANTED.includes(line));
    assert.deepEqual(wrong, [], `after ${migration.name}`);
  }
  assert.deepEqual(await grantsOf(db.sql), WANTED);
}, false);

testBoth("what DROP and CREATE open, re-applying the migration closes", async (db) => {
  const migrations = await listMigrations();
  for (
    const [line, migration, ...change] of [
      [
        "function public.release_thought: ",
        "claims",
        "do $$ declare d text := pg_get_functiondef('public.release_thought'::regproc); " +
        "begin drop function public.release_thought; execute d; end $$",
      ],
      [
        "table dibs.unique_key: ",
        "tasks",
        "drop table dibs.unique_key",
        "create table dibs.unique_key (type text, key text, task bigint, primary key (type, key))",
        "grant truncate on dibs.unique_key to anon",
      ],
      [
        "view public.tasks: ",
        "tasks_view",
        "drop view public.tasks cascade",
        "create view public.tasks as select * from dibs.log",
        "drop view public.tasks",
      ],
    ]
  ) {
    for (const statement of change) await db.sql.unsafe(statement);
    const found = (await grantsOf(db.sql)).find((other) => other.startsWith(line));
    assert.notEqual(found, WANTED.find((other) => other.startsWith(line)), line);
    await applyMigrations(
      db.sql,
      migrations.filter(({ name }) => name.endsWith(`_${migration}.sql`)),
    );
    assert.deepEqual(await grantsOf(db.sql), WANTED, line);
  }
});

testBoth("anon and authenticated are refused every read, write and call", async (db) => {
  for (const role of ["anon", "authenticated"] as const) {
    const sql = db.as(role);
    for (const statement of await everyStatement(db.sql)) {
      assert.equal(await failure(sql, statement), "42501", `${role}: ${statement}`);
    }
  }
});

testBoth("the service role is refused no call, but what it has no need of", async (db) => {
  const sql = db.as("service_role");
  const calls = (await everyStatement(db.sql)).filter((text) => text.startsWith("select public."));
  for (const statement of calls) {
    assert.notEqual(await failure(sql, statement), "42501", statement);
  }
  for (
    const statement of ["truncate public.thought_work_claims", "update dibs.log set type = 'x'"]
  ) {
    assert.equal(await failure(sql, statement), "42501", statement);
  }
});

testBoth("everything that callers do works as the service role", async (db) => {
  await someOfEverything(db.as("service_role"));
});

testBoth(
  "sealing again takes back what somebody granted, and leaves the project's own alone",
  async (db) => {
    await db.sql`create table public.notes (id int)`;
    await db.sql`grant select on public.notes to anon`;
    const anon = db.as("anon");
    const lanes = "select * from dibs.unique_key";

    await db.sql`grant usage on schema dibs to anon`;
    await db.sql`grant select, truncate on dibs.unique_key to anon`;
    assert.equal(await failure(anon, lanes), undefined);
    assert.equal(await failure(anon, "truncate dibs.unique_key"), undefined);

    await db.sql`select dibs.seal()`;
    assert.equal(await failure(anon, lanes), "42501");
    assert.equal(await failure(anon, "truncate dibs.unique_key"), "42501");
    assert.equal(await failure(anon, "select * from public.notes"), undefined);
    assert.deepEqual(await grantsOf(db.sql), WANTED);
  },
);

/** Reads, writes and calls of everything Dibs has; each does nothing where it is allowed. */
async function everyStatement(sql: Sql): Promise<string[]> {
  const relations = await sql<{ name: string; isView: boolean }[]>`
    select oid::regclass::text as name, relkind = 'v' as "isView" from pg_class
    where relkind in ('r', 'v') and (relnamespace = 'dibs'::regnamespace or oid in (
      'public.thoughts'::regclass, 'public.thought_work_claims'::regclass, 'public.tasks'::regclass))`;
  const calls = await sql<{ call: string }[]>`
    select format('select %s.%I(%s)', pronamespace::regnamespace, proname, (
      select string_agg('null::' || format_type(type, null), ', ' order by n)
      from unnest(proargtypes) with ordinality a(type, n))) as call
    from pg_proc
    where pronamespace = 'dibs'::regnamespace and prorettype <> 'trigger'::regtype
      or pronamespace = 'public'::regnamespace and proname = any (dibs.interface())`;
  return [
    ...relations.flatMap(({ name, isView }) => [
      `select * from ${name}`,
      `insert into ${name} select * from ${name} where false`,
      `delete from ${name} where false`,
      ...isView ? [] : [`truncate ${name}`],
    ]),
    "select nextval('dibs.fence')",
    ...calls.map(({ call }) => call),
  ];
}

/** The SQLSTATE a statement fails with, or undefined; whatever it did is undone. */
async function failure(sql: Sql, statement: string): Promise<string | undefined> {
  const undo = new Error("undo");
  try {
    await sql.begin(async (transaction) => {
      await transaction.unsafe(statement);
      throw undo;
    });
  } catch (error) {
    if (error !== undo) return (error as { code: string }).code;
  }
}
