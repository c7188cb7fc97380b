import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase } from "../support/database.ts";
import { OLDER_CLIENTS, startLoad } from "../support/load.ts";
import { applyMigrations, listMigrations } from "../../scripts/stack/migrations.ts";
import { OLDER_CLIENT } from "../support/older_client.ts";
import { retrying } from "../support/retrying.ts";
import { everythingButGates, setGates } from "../support/some_of_everything.ts";

const ROUNDS = 2;

Deno.test("migrations applied again and again are in no worker's way, and nothing is lost or doubled", async () => {
  await using db = await freshDatabase();
  const load = startLoad(db);
  const migrations = await listMigrations();
  for (let round = 0; round < ROUNDS; round++) {
    for (const migration of migrations) {
      await load.turns(5);
      await applyMigrations(db.sql, [migration]);
    }
  }
  await load.finish();
  await assertNoDeadlock(db.sql);
});

Deno.test("clients go on claiming while Dibs is installed beneath them, and it takes over what they hold", async () => {
  await using db = await freshDatabase({ migrated: false, regime: "exposed" });
  await db.sql.unsafe(OLDER_CLIENT);
  const load = startLoad(db, { kinds: OLDER_CLIENTS, ofAKind: 4 });
  for (const migration of await listMigrations()) {
    await load.turns(6);
    await applyMigrations(db.sql, [migration]);
  }
  await load.turns(6);
  await load.finish();
  await assertNoDeadlock(db.sql);
});

Deno.test("a function that gets another argument is replaced under calls, and nothing is lost or doubled", async () => {
  await using db = await freshDatabase();
  const narrow = "public.claim_tasks(text, text[], int, int, text)";
  const wide = "public.claim_tasks(text, text[], int, int, text, int)";
  const [{ definition }] = await db
    .sql`select pg_get_functiondef(${narrow}::regprocedure) as definition`;
  // A call takes no lock on its function: one that had just found it when it went has done nothing yet.
  const again = (sql: Sql) => retrying(sql, () => {}, isOfAGoneFunction);
  const load = startLoad({ ...db, as: (role) => again(db.as(role)) });
  for (let round = 0; round < 5; round++) {
    for (const [goes, parameters] of [[narrow, ", p_new integer DEFAULT 0"], [wide, ""]]) {
      await load.turns(5);
      const comes = definition.replace(/(?=\)\n? RETURNS)/, parameters);
      await db.sql.unsafe(`drop function ${goes}; ${comes}; select dibs.seal()`);
    }
  }
  await load.finish();
});

Deno.test("migrations applied again do not wait for transactions that stay open, whatever those did", async () => {
  await using db = await freshDatabase();
  const stalled = db.connect();
  await setGates(db.sql);
  await stalled`begin`;
  await everythingButGates(stalled);
  await applyMigrations(db.sql, await listMigrations()); // each would give up after a while
  await stalled`commit`;
});

Deno.test("nobody waits for a migration that is applied again, however long it takes", async () => {
  await using db = await freshDatabase();
  const [migrator, client] = [db.connect(), db.connect()];
  await client`set lock_timeout = '2s'`;
  await setGates(client);
  for (const migration of await listMigrations()) {
    await migrator`begin`;
    await applyMigrations(migrator, [migration]);
    await client`begin`;
    await everythingButGates(client);
    await client`rollback`;
    await migrator`rollback`;
  }
});

function isOfAGoneFunction(error: unknown): boolean {
  return /cache lookup failed for function/.test((error as Error).message);
}

async function assertNoDeadlock(sql: Sql): Promise<void> {
  const [{ deadlocks }] = await sql`
    select deadlocks::int from pg_stat_database where datname = current_database()`;
  assert.equal(deadlocks, 0);
}
