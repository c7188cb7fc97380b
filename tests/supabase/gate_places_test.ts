import assert from "node:assert/strict";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { claim, enqueue, ids, settle, testTasks } from "../support/tasks.ts";

testTasks(
  "a task takes a place of its type and one of its key, and neither twice",
  async ({ sql }) => {
    await sql`select set_task_limit('a', 3), set_task_limit('a', 2, p_each_key => true)`;
    for (const priority of [0, 1]) {
      await enqueue(sql, "a", 2, { key: "x", priority });
      await enqueue(sql, "a", 2, { key: "y", priority });
    }
    const tasks = await claim(sql, { limit: 10 });
    assert.equal(tasks.length, 3);
    const slots = await sql`
    select key, count(distinct task)::int as tasks, count(*)::int from dibs.slot
    where fence = ${tasks[0].fence} group by key order by key`;
    assert.deepEqual(slots.map(({ key, tasks, count }) => [key, tasks, count]), [["", 3, 3], [
      "x",
      2,
      2,
    ], ["y", 1, 1]]);
  },
);

testTasks(
  "tokens come by evenly, up to the burst, and one key's are not another's",
  async ({ sql }) => {
    const clock = await testClock(sql, { stopped: true });
    await sql`select set_task_rate('a', 4, '1 minute', 3, p_each_key => true)`;
    await enqueue(sql, "a", 20, { key: "x" });
    const granted = async () => {
      const tasks = await claim(sql, { limit: 10 });
      if (tasks.length > 0) await settle(sql, tasks[0].fence, [], "succeeded");
      return tasks.length;
    };
    assert.equal(await granted(), 3);
    await clock.advance("15 s");
    assert.equal(await granted(), 1);
    await clock.advance("44 s");
    assert.equal(await granted(), 2);
    await clock.advance("1 hour");
    assert.equal(await granted(), 3);
    await enqueue(sql, "a", 20, { key: "y" });
    assert.equal(await granted(), 3);
  },
);

Deno.test("no claim waits for another, and both together stay under the limit", async () => {
  await using db = await freshDatabase();
  const [a, b] = [db.connect(), db.connect()];
  await enqueue(db.sql, "a", 9);
  await db.sql`select set_task_limit('a', 4)`;
  await a`begin`;
  await b`begin`;
  const first = await claim(a, { limit: 3 });
  const second = await claim(b, { limit: 3 });
  await a`commit`;
  await b`commit`;
  assert.equal(first.length, 3);
  assert.ok(second.length <= 1);
  assert.equal(new Set(ids([...first, ...second])).size, first.length + second.length);
});
