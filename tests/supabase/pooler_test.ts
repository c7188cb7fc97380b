import assert from "node:assert/strict";
import postgres, { type Sql } from "postgres";
import { databaseAddress } from "../../scripts/stack/postgres.ts";
import { findCluster, freshDatabase } from "../support/database.ts";
import { startLoad } from "../support/load.ts";
import { startPooler } from "../support/pooler.ts";

Deno.test("all share one connection through PgBouncer, and leave nothing of theirs on it", async () => {
  await using db = await freshDatabase();
  await using after = new AsyncDisposableStack();
  const cluster = findCluster();
  const dir = await Deno.makeTempDir();
  after.defer(() => Deno.remove(dir, { recursive: true }));
  const { port, stop } = await startPooler(dir, cluster, { connections: 1 });
  after.defer(stop);
  const database = new URL(db.url).pathname.slice(1);
  const connect = () => {
    const sql = postgres(databaseAddress({ ...cluster, port, database }), {
      max: 1,
      prepare: false,
    });
    after.defer(() => sql.end({ timeout: 0 }));
    return sql;
  };

  const observer = connect();
  const before = await readSession(observer);
  const load = startLoad({ ...db, as: connect });
  await load.turns(100);
  await load.finish();
  assert.deepEqual(await readSession(observer), before);
  assert.deepEqual(before.locks, null);
});

/** What outlives a transaction: who comes next would have it. */
async function readSession(sql: Sql) {
  const [session] = await sql`
    select pg_backend_pid() as pid, current_user as role,
      (select json_agg(json_build_array(name, setting) order by name) from pg_settings
        where source = 'session') as settings,
      (select json_agg(l) from pg_locks l where pid = pg_backend_pid() and locktype = 'advisory') as locks,
      (select json_agg(name) from pg_prepared_statements) as statements,
      (select json_agg(name) from pg_cursors) as cursors,
      (select json_agg(c) from pg_listening_channels() c) as channels,
      pg_my_temp_schema() as temporary`;
  return session;
}
