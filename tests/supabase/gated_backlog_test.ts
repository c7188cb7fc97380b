import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { claim, enqueue, settle, testTasks } from "../support/tasks.ts";

const drains = async (sql: Sql) =>
  (await sql`select dibs.drains_wanted(null) as drains`)[0].drains.length;

testTasks("dispatch starts no drain for what would not be let through", async ({ sql }) => {
  const clock = await testClock(sql);
  await enqueue(sql, "a", 150);
  assert.equal(await drains(sql), 2);
  await sql`select pause_tasks('a')`;
  assert.equal(await drains(sql), 0);
  await enqueue(sql, "a", 150);
  assert.equal(await drains(sql), 0);
  await sql`select resume_tasks('a')`;
  assert.equal(await drains(sql), 3);
  await sql`select set_task_limit('a', 1)`;
  assert.equal(await drains(sql), 1);
  const [task] = await claim(sql);
  await clock.advance("1 minute");
  await sql`update dibs.lease set expires_at = expires_at + interval '1 hour' where true`;
  assert.equal(await drains(sql), 0);
  await settle(sql, task.fence, [], "succeeded");
  assert.equal(await drains(sql), 1);
  await sql`select pause_tasks()`;
  assert.equal(await drains(sql), 0);
});

testTasks("nor for a key, a rate or an order key that keeps all back", async ({ sql }) => {
  const clock = await testClock(sql, { stopped: true });
  await enqueue(sql, "a", 2, { order_key: "o" });
  assert.equal(await drains(sql), 1);
  const [first] = await claim(sql, { seconds: 3600 });
  await clock.advance("1 minute");
  assert.equal(await drains(sql), 0);
  await settle(sql, first.fence, [], "succeeded");
  assert.equal(await drains(sql), 1);
  const [second] = await claim(sql);
  await settle(sql, second.fence, [], "succeeded");

  await enqueue(sql, "b", 2, { key: "k" });
  await sql`select pause_tasks('b', 'k')`;
  assert.equal(await drains(sql), 0);

  await enqueue(sql, "c", 2);
  await sql`select set_task_rate('c', 1, '1 minute')`;
  assert.equal(await drains(sql), 1);
  const [paced] = await claim(sql);
  await settle(sql, paced.fence, [], "succeeded");
  assert.equal(await drains(sql), 0);
  await clock.advance("1 minute");
  assert.equal(await drains(sql), 1);
});

testTasks("what nobody reads any more is tidied away", async ({ sql }) => {
  const clock = await testClock(sql, { stopped: true });
  await sql`select set_task_limit('a', 1, p_each_key => true), set_task_rate('a', 5, '1 s', p_each_key => true)`;
  await enqueue(sql, "a", 1, { key: "k", order_key: "o" });
  const [task] = await claim(sql);
  await sql`select dibs.tidy_gates()`;
  const left = async () =>
    (await sql`
      select (select count(*) from dibs.slot)::int as slots, (select count(*) from dibs.bucket)::int as buckets`)[
      0
    ];
  assert.deepEqual({ ...await left() }, { slots: 2, buckets: 1 });
  await settle(sql, task.fence, [], "succeeded");
  await clock.advance("2 minutes");
  await sql`select dibs.tidy_gates()`;
  assert.deepEqual({ ...await left() }, { slots: 0, buckets: 0 });
});
