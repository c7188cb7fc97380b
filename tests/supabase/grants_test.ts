// On PostgreSQL 15, too.
// Who may do what, by the catalogue: grants.txt has a row for every object and a column for every role.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase, type TestDatabase } from "../support/database.ts";
import { dropAndCreateEverything } from "../support/drop_and_create.ts";
import { grantsOf, WANTED } from "../support/grants.ts";
import { applyMigrations, listMigrations } from "../../scripts/stack/migrations.ts";

/** What a project does with new objects: it hides them from the API, as is the default, or exposes them. */
const BOTH = ["hidden", "exposed"] as const;

/** Nobody should open everything to everybody, but nobody is kept from it either. */
const WORST = [...BOTH, "open to everybody"] as const;

const OPEN_TO_EVERYBODY = ["schemas", "tables", "sequences", "functions", "types"]
  .map((objects) =>
    `alter default privileges grant all on ${objects} to public, anon, authenticated`
  )
  .join(";");

function testIn(
  regimes: readonly typeof WORST[number][],
  name: string,
  test: (db: TestDatabase) => Promise<void>,
  { migrated = true } = {},
): void {
  for (const regime of regimes) {
    Deno.test(`${name}, where new objects are ${regime}`, async () => {
      const isWorst = regime === "open to everybody";
      await using db = await freshDatabase({ regime: isWorst ? "exposed" : regime, migrated });
      if (isWorst) await db.sql.unsafe(OPEN_TO_EVERYBODY);
      await test(db);
    });
  }
}

testIn(BOTH, "grants.txt is who may do what", async (db) => {
  assert.deepEqual(await grantsOf(db.sql), WANTED);
});

testIn(WORST, "no migration leaves anything open for the next one to close", async (db) => {
  const platform = await platformGrants(db.sql);
  const [first, ...rest] = await listMigrations();
  await applyMigrations(db.sql, [first]);
  assert.deepEqual((await grantsOf(db.sql)).filter(isOpenToStrangers), [], first.name);
  for (const migration of rest) {
    await applyMigrations(db.sql, [migration]);
    assert.deepEqual((await grantsOf(db.sql)).filter(isUnwanted), [], migration.name);
  }
  assert.deepEqual(await grantsOf(db.sql), WANTED);
  assert.deepEqual(await platformGrants(db.sql), platform);
}, { migrated: false });

testIn(BOTH, "no migration that is applied again opens or closes anything", async (db) => {
  for (const migration of await listMigrations()) {
    await applyMigrations(db.sql, [migration]);
    assert.deepEqual(await grantsOf(db.sql), WANTED, migration.name);
  }
});

testIn(WORST, "what later migrations drop and create is closed once they seal", async (db) => {
  await dropAndCreateEverything(db.sql);
  const open = (await grantsOf(db.sql)).filter(isUnwanted);
  assert(open.some((line) => line.startsWith("function public.claim_task  ")), open.join("\n"));
  await db.sql`select dibs.seal()`;
  assert.deepEqual(await grantsOf(db.sql), WANTED);
});

testIn(
  BOTH,
  "what somebody drops and creates is closed by the migrations, applied again",
  async (db) => {
    await db.sql`drop table public.thoughts cascade`;
    await dropAndCreateEverything(db.sql);
    await db.sql`drop view public.tasks cascade`;
    await db.sql`drop table dibs.unique_key`;
    await applyMigrations(db.sql, await listMigrations());
    assert.deepEqual(await grantsOf(db.sql), WANTED);
  },
);

testIn(
  BOTH,
  "sealing takes back what somebody granted, and passed on, and leaves the project's own",
  async (db) => {
    await db.sql`create table public.notes (id int)`;
    await db.sql`grant select on public.notes to anon`;
    const own = (await grantsOf(db.sql)).filter(isUnwanted);
    await db.sql.unsafe(`
    grant usage on schema dibs to anon;
    grant select (id, payload) on dibs.log to authenticated;
    grant update on sequence dibs.fence to public;
    grant execute on function dibs.tick() to authenticated;
    grant select on public.tasks to anon with grant option;
    set role anon;
    grant select on public.tasks to authenticated;
    reset role`);
    const open = (await grantsOf(db.sql)).filter(isOpenToStrangers);
    assert.deepEqual(open.filter((line) => !own.includes(line)), [
      "function dibs.tick  as caller  -  -  execute  -  execute  owner",
      "schema dibs  -  -  usage  -  -  usage  owner",
      "sequence dibs.fence  -  update  update  update  update  usage update  owner",
      "table dibs.log  rls  -  -  select(id,payload)  -  select insert update delete  owner",
      "view public.tasks  as caller  -  select  select  -  select insert update delete  owner",
    ]);

    await db.sql`select dibs.seal()`;
    assert.deepEqual((await grantsOf(db.sql)).filter(isUnwanted), own);
  },
);

Deno.test("without pg_cron, pg_net and Vault the rest of grants.txt is the same", async () => {
  await using db = await freshDatabase({ migrated: false, standIns: false });
  await applyMigrations(db.sql, await listMigrations());
  assert.deepEqual(
    await grantsOf(db.sql),
    WANTED.filter((line) => !/^\w+ (cron|net|vault)\b/.test(line)),
  );
});

function isUnwanted(line: string): boolean {
  return !WANTED.includes(line);
}

/** Whether anybody but the service role and postgres may do something with what is Dibs's. */
function isOpenToStrangers(line: string): boolean {
  const [object, , ...roles] = line.split("  ");
  // By PostgreSQL's own default everybody may name a type, which shows and changes nothing.
  if (/^(type|schema public|\w+ (cron|net|vault)\b)/.test(object)) return false;
  return roles.slice(0, 4).some((privileges) => privileges !== "-");
}

/** What belongs to the project: its default privileges, its roles, its database. */
async function platformGrants(sql: Sql) {
  return await sql`
    select 'default' as what, defaclrole::regrole || ' ' || defaclnamespace || ' ' || defaclobjtype::text as of,
      defaclacl::text as grants
    from pg_default_acl
    union all select 'role', roleid::regrole::text || ' ' || member::regrole, admin_option::text from pg_auth_members
    union all select 'database', datname, datacl::text from pg_database where datname = current_database()
    union all select 'extension', extname, extnamespace::regnamespace::text from pg_extension
    order by 1, 2`;
}
