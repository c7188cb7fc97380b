import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../../support/clock.ts";
import { freshDatabase } from "../../support/database.ts";
import { assertInvariants } from "../../support/invariants.ts";
import type { Call, Everything, Row } from "./gates/calls.ts";
import { gatesCommand, meaningOf } from "./gates/commands.ts";
import { GatesDatabase } from "./gates/database.ts";
import { VERBS } from "./gates/model.ts";
import { ONCE_FAILED } from "./gates/once_failed.ts";
import { Tasks } from "./gates/state.ts";
import { Moments } from "./moments.ts";
import { holdForSequences } from "./sequences.ts";
import { MAX_LOSSES } from "./tasks/control.ts";
import { walk } from "./walk.ts";

Deno.test("tasks pass gates, keep their order and their unique keys as their model says", async () => {
  await using db = await freshDatabase();
  const sql = db.connect();
  const clock = await testClock(sql, { stopped: true });
  const [{ beginning }] = await sql`select dibs.clock() as beginning`;
  const database = new GatesDatabase(sql, new Moments(beginning));
  await sql`update dibs.settings set max_losses = ${MAX_LOSSES} where true`;
  // That dispatch is called when something is enqueued is no part of the model.
  await sql`
    create or replace function dibs.wake(p_run_at timestamptz, p_types text[] default null)
      returns void language plpgsql as 'begin end'`;
  let walks = 0;

  await holdForSequences(gatesCommand, ONCE_FAILED, async (commands) => {
    await forgetEverything(sql);
    if (walks++ % 100 === 0) await vacuum(sql);
    const state = new Tasks();
    await walk(commands, { sql, clock }, {
      model: state,
      meaningOf: (command) => meaningOf(command, state),
      inDatabase: (call: Call) => database[call.verb](call as never),
      inModel: (call: Call, seen) => VERBS[call.verb](state, call as never, seen as never),
      async look() {
        const seen = await database.look();
        const expected = state.see(seen);
        assert.deepEqual(withoutPlaces(seen, state.now), withoutPlaces(expected, state.now));
      },
      looksOften: true,
    });
    await assertInvariants(sql);
  }, 150);
});

/** What is due may be moved, and then shows another moment that is over. */
function withoutPlaces({ tasks, gates }: Everything, now: number): Everything {
  const due = ({ status, run_at }: Row) => status === "pending" && run_at <= now;
  return { tasks: tasks.map((row) => due(row) ? { ...row, run_at: now } : row), gates };
}

const TABLES = ["log", "ready", "gated", "lease", "outcome", "attempt", "unique_key", "task_key"]
  .concat("in_order", "gate", "slot", "turn", "hint").map((table) => `dibs.${table}`);

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
