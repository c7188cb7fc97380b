import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../../support/clock.ts";
import { freshDatabase } from "../../support/database.ts";
import { assertInvariants } from "../../support/invariants.ts";
import { Moments } from "./moments.ts";
import { holdForSequences } from "./sequences.ts";
import type { Call } from "./tasks/calls.ts";
import { meaningOf, taskCommand } from "./tasks/commands.ts";
import { MAX_LOSSES } from "./tasks/control.ts";
import { TasksDatabase } from "./tasks/database.ts";
import { VERBS } from "./tasks/model.ts";
import { ONCE_FAILED } from "./tasks/once_failed.ts";
import { Tasks } from "./tasks/state.ts";
import { walk } from "./walk.ts";

Deno.test("tasks do what their model says, in whatever order things happen", async () => {
  await using db = await freshDatabase();
  const sql = db.connect();
  const clock = await testClock(sql, { stopped: true });
  const [{ beginning }] = await sql`select dibs.clock() as beginning`;
  const database = new TasksDatabase(sql, new Moments(beginning));
  await sql`update dibs.settings set max_losses = ${MAX_LOSSES} where true`;
  // That dispatch is called when something is enqueued is no part of the model.
  await sql`
    create or replace function dibs.wake(p_run_at timestamptz, p_types text[] default null)
      returns void language plpgsql as 'begin end'`;
  let walks = 0;

  await holdForSequences(taskCommand, ONCE_FAILED, async (commands) => {
    await forgetEverything(sql);
    if (walks++ % 100 === 0) await vacuum(sql);
    const state = new Tasks();
    await walk(commands, { sql, clock }, {
      model: state,
      meaningOf: (command) => meaningOf(command, state),
      inDatabase: (call: Call) => database[call.verb](call as never),
      inModel: (call: Call, seen) => VERBS[call.verb](state, call as never, seen as never),
      look: () => look(database, state),
    });
    await assertInvariants(sql);
  });
});

async function look(database: TasksDatabase, state: Tasks): Promise<void> {
  const [seen, counts] = await Promise.all([database.look(), database.counts()]);
  const rows = state.look(seen);
  assert.deepEqual(seen, rows);
  const counted = Object.fromEntries(Object.keys(counts).map((status) => [status, 0]));
  for (const { status } of rows) counted[status]++;
  assert.deepEqual(counts, counted);
}

const TABLES = ["log", "ready", "lease", "outcome", "attempt", "result", "progress", "unique_key"]
  .concat("hint", "request").map((table) => `dibs.${table}`);

async function forgetEverything(sql: Sql): Promise<void> {
  await sql.unsafe(`
    ${TABLES.map((table) => `delete from ${table} where true;`).join(" ")}
    delete from dibs.lane where type <> '' or priority <> 0;
    select setval('test_clock.passed_microseconds', 0)`);
}

/** Where many dead rows lie about, claims seldom look for leases that ran out. */
async function vacuum(sql: Sql): Promise<void> {
  await sql.unsafe(`vacuum ${TABLES}, dibs.lane`);
}
