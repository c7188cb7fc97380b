import assert from "node:assert/strict";
import { freshDatabase } from "../../support/database.ts";
import { assertInvariants } from "../../support/invariants.ts";
import type { Call, Everything, Row } from "./gates/calls.ts";
import { gatesCommand, meaningOf } from "./gates/commands.ts";
import { GatesDatabase } from "./gates/database.ts";
import { VERBS } from "./gates/model.ts";
import { ONCE_FAILED } from "./gates/once_failed.ts";
import { Tasks } from "./gates/state.ts";
import { prepareGround } from "./ground.ts";
import { holdForSequences } from "./sequences.ts";
import { walk } from "./walk.ts";

const TABLES = ["log", "ready", "gated", "lease", "outcome", "attempt", "unique_key", "task_key"]
  .concat("in_order", "gate", "slot", "turn", "hint");

Deno.test("tasks pass gates, keep their order and their unique keys as their model says", async () => {
  await using db = await freshDatabase();
  const { sql, clock, moments, clear } = await prepareGround(db, TABLES);
  const database = new GatesDatabase(sql, moments);

  await holdForSequences(gatesCommand, ONCE_FAILED, async (commands) => {
    await clear();
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
