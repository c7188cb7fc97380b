import assert from "node:assert/strict";
import { freshDatabase } from "../support/database.ts";
import { startBlocked } from "../support/locks.ts";
import { assertRefused, claim, enqueue } from "../support/tasks.ts";

Deno.test("a gate of a key says what it says, and leaves the rest to that of each key", async () => {
  await using db = await freshDatabase();
  await db.sql`
    select set_task_limit('a', 5), set_task_limit('a', 4, p_each_key => true), set_task_limit('a', 3, 'x'),
      set_task_rate('a', 2, '1 s', p_each_key => true), pause_tasks('a', 'y')`;
  const gates = await db.sql`
    select g.most, g.rate, g.paused from unnest(array['', 'x', 'y', 'z', null]) key, dibs.gate_of('a', key) g`;
  assert.deepEqual(gates.map(({ most, rate, paused }) => [most, rate, paused]), [
    [5, null, false],
    [3, 2, false],
    [4, 2, true],
    [4, 2, false],
    [null, null, false],
  ]);
});

Deno.test("whoever sets a gate gives up on a claim that is not committed", async () => {
  await using db = await freshDatabase();
  const [claimer, setter] = [db.connect(), db.connect()];
  await enqueue(db.sql, "a");
  await claimer`begin`;
  await claim(claimer);
  const { done } = await startBlocked(db.sql, setter, (sql) => sql`select set_task_limit('a', 1)`);
  await assertRefused(done, "PT503", /stays in an open transaction/);
  await claimer`commit`;
  await setter`select set_task_limit('a', 1)`;
});
