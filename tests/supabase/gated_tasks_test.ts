import assert from "node:assert/strict";
import { testClock } from "../support/clock.ts";
import { claim, enqueue, ids, settle, statuses, testTasks } from "../support/tasks.ts";

testTasks(
  "what waits at a gate is counted, shown, updated and deleted like all else",
  async ({ sql }) => {
    await sql`select pause_tasks('a')`;
    const made = [...await enqueue(sql, "a", 120), ...await enqueue(sql, "a", 3, { key: "k" })];
    assert.deepEqual(await claim(sql), []);
    assert.deepEqual(new Set(await statuses(sql, made)), new Set(["pending"]));
    await sql`update tasks set status = 'completed' where id = ${made[0]}`;
    await sql`update tasks set run_at = now() + interval '1 hour' where id = ${made[121]}`;
    await sql`update tasks set status = 'processing' where id = ${made[1]}`;
    await sql`delete from tasks where id = ${made[2]}`;
    const cancelled = await sql`select id from cancel_tasks(${made.slice(3, 6)}) id`;
    assert.deepEqual(cancelled.map(({ id }) => id).sort(), made.slice(3, 6).sort());
    const counts = await sql`select status, tasks::int from task_counts() order by 1`;
    assert.deepEqual(counts.map(({ status, tasks }) => [status, tasks]), [
      ["cancelled", 3],
      ["completed", 1],
      ["failed", 0],
      ["pending", 117],
      ["processing", 1],
    ]);
  },
);

testTasks("tasks that wait for their time come to the gate when it is there", async ({ sql }) => {
  const clock = await testClock(sql);
  const run_at = new Date(Date.now() + 3_600_000).toISOString();
  await sql`select set_task_limit('a', 1)`;
  await enqueue(sql, "a", 150, { run_at });
  await enqueue(sql, "a", 2, { run_at, key: "k" });
  assert.deepEqual(await claim(sql), []);
  await clock.advance("1 hour");
  await clock.advance("1 s");
  assert.equal((await claim(sql, { limit: 10 })).length, 1);
  assert.deepEqual(await claim(sql, { limit: 10 }), []);
});

testTasks("failed, lost and handed back tasks pass their gates anew", async ({ sql }) => {
  const clock = await testClock(sql);
  await enqueue(sql, "a", 4);
  await enqueue(sql, "a", 2, { key: "k" });
  const held = await claim(sql, { limit: 10, seconds: 30 });
  assert.equal(held.length, 6);
  await sql`select set_task_limit('a', 2)`;
  await settle(sql, held[0].fence, [
    { id: held[0].id, status: "failed", error: "no" },
    { id: held[1].id, status: "released" },
    { id: held[5].id, status: "released" },
  ]);
  assert.deepEqual(await claim(sql, { limit: 10 }), []);
  await clock.advance("31 s");
  const again = await claim(sql, { limit: 10 });
  assert.equal(again.length, 2);
  assert.ok(again.every(({ id }) => ids(held).includes(id)));
});
