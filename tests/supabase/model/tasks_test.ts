import assert from "node:assert/strict";
import { freshDatabase } from "../../support/database.ts";
import { assertInvariants } from "../../support/invariants.ts";
import { prepareGround } from "./ground.ts";
import { holdForSequences } from "./sequences.ts";
import type { Call } from "./tasks/calls.ts";
import { meaningOf, taskCommand } from "./tasks/commands.ts";
import { TasksDatabase } from "./tasks/database.ts";
import { VERBS } from "./tasks/model.ts";
import { ONCE_FAILED } from "./tasks/once_failed.ts";
import { Tasks } from "./tasks/state.ts";
import { walk } from "./walk.ts";

const TABLES = ["log", "ready", "lease", "outcome", "attempt", "result", "progress", "unique_key"]
  .concat("hint", "request");

Deno.test("tasks do what their model says, in whatever order things happen", async () => {
  await using db = await freshDatabase();
  const { sql, clock, moments, clear } = await prepareGround(db, TABLES);
  const database = new TasksDatabase(sql, moments);

  await holdForSequences(taskCommand, ONCE_FAILED, async (commands) => {
    await clear();
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
