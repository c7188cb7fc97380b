import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { claim, enqueue, settle, testTasks } from "../support/tasks.ts";

const wait = async (sql: Sql, types: string[] | null = null) =>
  (await sql`select task_retry_after(${types}) as seconds`)[0].seconds;

/** One after the other, until a claim finds nothing. */
async function claimAll(sql: Sql): Promise<unknown[]> {
  const tasks = await claim(sql);
  return tasks.length === 0 ? [] : [...tasks, ...await claimAll(sql)];
}

testTasks("what only a rate keeps back says when it may go", async ({ sql }) => {
  const clock = await testClock(sql, { stopped: true });
  await sql`select set_task_rate('a', 2, '1 s', 1), set_task_rate('b', 1, '1 minute')`;
  assert.equal(await wait(sql), null);
  await enqueue(sql, "a", 2);
  await enqueue(sql, "b", 2);
  assert.equal(await wait(sql), null);
  assert.equal((await claimAll(sql)).length, 2);
  assert.equal(await wait(sql), 0.5);
  assert.equal(await wait(sql, ["b"]), 60);
  assert.equal(await wait(sql, ["c"]), null);
  await clock.advance("499.5 ms");
  assert.equal(await wait(sql), 0.001);
  await clock.advance("0.5 ms");
  assert.equal(await wait(sql), null);
  assert.equal((await claim(sql)).length, 1);
  assert.equal(await wait(sql), 59.5);
});

testTasks("nothing is said of what may come free at any moment", async ({ sql }) => {
  await testClock(sql, { stopped: true });
  await sql`select set_task_rate('rated', 1, '1 minute'), set_task_limit('limited', 1)`;
  await enqueue(sql, "rated", 2);
  await enqueue(sql, "limited", 2);
  const [task] = await claim(sql, { types: ["limited"] });
  await claim(sql, { types: ["rated"] });
  assert.deepEqual(await claim(sql), []);
  assert.equal(await wait(sql), null);
  assert.equal(await wait(sql, ["rated"]), 60);
  await settle(sql, task.fence, [], "succeeded");
  assert.equal((await claimAll(sql)).length, 1);
  assert.equal(await wait(sql), 60);
});

testTasks("the first of all keys counts, and none that is paused", async ({ sql }) => {
  const clock = await testClock(sql, { stopped: true });
  await sql`select set_task_rate('a', 1, '1 minute', p_each_key => true)`;
  for (const key of ["x", "y", "z"]) await enqueue(sql, "a", 2, { key });
  await claim(sql);
  await clock.advance("10 s");
  await claim(sql);
  assert.equal(await wait(sql), null);
  assert.equal((await claimAll(sql)).length, 1);
  assert.equal(await wait(sql), 50);
  await sql`select pause_tasks('a', 'x')`;
  assert.equal(await wait(sql), 60);
  await sql`select set_task_rate('a', 1, '2 minutes')`;
  await enqueue(sql, "a", 1);
  await claim(sql);
  assert.equal(await wait(sql), 120);
  await sql`select pause_tasks('a')`;
  assert.equal(await wait(sql), null);
  await sql`select resume_tasks('a'), pause_tasks()`;
  assert.equal(await wait(sql), null);
});
