import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../../support/clock.ts";
import { freshDatabase } from "../../support/database.ts";
import type { Call } from "./claims/calls.ts";
import { claimCommand, meaningOf } from "./claims/commands.ts";
import { ClaimsDatabase } from "./claims/database.ts";
import { VERBS } from "./claims/model.ts";
import { ONCE_FAILED } from "./claims/once_failed.ts";
import { Claims } from "./claims/state.ts";
import { Moments } from "./moments.ts";
import { holdForSequences } from "./sequences.ts";
import { walk } from "./walk.ts";

Deno.test("claims do what their model says, in whatever order things happen", async () => {
  await using db = await freshDatabase();
  const sql = db.connect();
  const clock = await testClock(sql, { stopped: true });
  const [{ beginning }] = await sql`select dibs.clock() as beginning`;
  const database = new ClaimsDatabase(sql, new Moments(beginning));
  let walks = 0;

  await holdForSequences(claimCommand, ONCE_FAILED, async (commands) => {
    await forgetEverything(sql);
    if (walks++ % 100 === 0) await vacuum(sql);
    const state = new Claims();
    for (const content of ["one", "two", "three", "four"]) {
      VERBS.insert_thought(state, { content }, await database.insert_thought({ content }));
    }
    await walk(commands, { sql, clock }, {
      model: state,
      meaningOf: (command) => meaningOf(command, state),
      inDatabase: (call: Call) => database[call.verb](call as never),
      inModel: (call: Call, seen) => VERBS[call.verb](state, call as never, seen as never),
      async look() {
        const seen = await database.look();
        assert.deepEqual(seen, state.look(seen));
      },
    });
  });
});

const TABLES = ["dibs.thought_attempt", "dibs.thought_run", "dibs.thought_pass", "dibs.reap_hint"]
  .concat("dibs.request", "dibs.claim_gate");

async function forgetEverything(sql: Sql): Promise<void> {
  await sql.unsafe(`
    delete from public.thoughts where true;
    ${TABLES.map((table) => `delete from ${table} where true;`).join(" ")}
    select setval('test_clock.passed_microseconds', 0)`);
}

async function vacuum(sql: Sql): Promise<void> {
  await sql.unsafe(
    `vacuum ${TABLES}, public.thoughts, public.thought_work_claims`,
  );
}
