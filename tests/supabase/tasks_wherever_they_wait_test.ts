import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { claim, ids, settle, statuses, testTasks } from "../support/tasks.ts";

/** A task that is ready, one at a gate, one with a place in an order, and one that waits for the first. */
async function onePerPlace(sql: Sql): Promise<string[]> {
  const list = [
    { type: "a", unique_key: "ready" },
    { type: "a", unique_key: "gated", key: "tenant" },
    { type: "a", unique_key: "ordered", order_key: "account" },
    { type: "a", unique_key: "waiting", depends_on: [0], key: "tenant" },
  ];
  const rows = await sql`select id from enqueue_tasks(${sql.json(list)})`;
  return rows.map(({ id }) => id);
}

const placesOf = async (sql: Sql, task: string) =>
  (await sql`
    select name from (
      select 'ready' as name, run from dibs.ready union all select 'gated', run from dibs.gated
      union all select 'waiting', int8multirange(int8range(task, task + 1)) from dibs.waiting) p
    where run @> dibs.task_of(${task})`).map(({ name }) => name);

/** A claim that moves some of what it took to a gate comes back with less: whoever wants all asks until none is left. */
async function claimAll(sql: Sql): Promise<Awaited<ReturnType<typeof claim>>> {
  const claimed = await claim(sql, { limit: 9 });
  return claimed.length === 0 ? [] : [...claimed, ...await claimAll(sql)];
}

testTasks("cancelling many finds tasks wherever they wait", async ({ sql }) => {
  const tasks = await onePerPlace(sql);
  const [{ dry, done }] = await sql`
    select cancel_tasks_where('{"types": ["a"]}') as dry, cancel_tasks_where('{"types": ["a"]}', false) as done`;
  assert.deepEqual([dry.tasks, done.tasks, done.more], [4, 4, false]);
  assert.deepEqual(await statuses(sql, tasks), Array(4).fill("cancelled"));
  for (const task of tasks) assert.deepEqual(await placesOf(sql, task), []);
});

testTasks("a filter names a key, or an order key", async ({ sql }) => {
  const [, gated, ordered, waiting] = await onePerPlace(sql);
  const [{ key, order, nothing }] = await sql`
    select cancel_tasks_where('{"key": "tenant"}') as key, cancel_tasks_where('{"order_key": "account"}') as order,
      cancel_tasks_where('{"key": "account"}') as nothing`;
  assert.deepEqual(key.sample.toSorted(), [gated, waiting].toSorted());
  assert.deepEqual(order.sample, [ordered]);
  assert.equal(nothing.tasks, 0);
});

testTasks(
  "another priority is had by tasks wherever they wait, and holds when they run",
  async ({ sql }) => {
    const tasks = await onePerPlace(sql);
    await sql`select create_task('b', p_priority => 3)`;
    const [{ done }] =
      await sql`select reprioritize_tasks_where('{"types": ["a"]}', 7, false) as done`;
    assert.equal(done.tasks, 4);
    const rows = await sql`select priority from tasks where type = 'a'`;
    assert.deepEqual(rows.map(({ priority }) => priority), [7, 7, 7, 7]);
    const [first] = await claim(sql, { limit: 1 });
    assert.equal(first.type, "b");
    assert.deepEqual(ids(await claimAll(sql)).toSorted(), tasks.slice(0, 3).toSorted());
  },
);

testTasks(
  "a new call replaces the pending task of its unique key wherever that waits",
  async ({ sql }) => {
    const tasks = await onePerPlace(sql);
    for (const [n, key] of ["ready", "gated", "ordered", "waiting"].entries()) {
      const [answer] = await sql`
      select id, deduplicated, replaced from enqueue_tasks(${
        sql.json([{
          type: "a",
          unique_key: key,
          unique_mode: "replace",
          payload: { n },
          priority: n,
        }])
      })`;
      assert.deepEqual(answer, { id: tasks[n], deduplicated: true, replaced: true });
    }
    assert.deepEqual(await placesOf(sql, tasks[3]), ["waiting"]);
    const claimed = await claimAll(sql);
    assert.deepEqual(claimed.map(({ payload }) => payload), [{ n: 0 }, { n: 1 }, { n: 2 }]);
    await settle(sql, claimed[0].fence, [{ id: tasks[0], status: "succeeded" }]);
    const [{ id, payload }] = await claimAll(sql);
    assert.deepEqual([id, payload], [tasks[3], { n: 3 }], "what it waited for has ended");
  },
);

testTasks("what is redriven as another type takes its key and its order along", async ({ sql }) => {
  const list = [1, 2].map(() => ({
    type: "a",
    order_key: "account",
    key: "tenant",
    max_attempts: 1,
  }));
  const tasks = (await sql`select id from enqueue_tasks(${sql.json(list)})`).map(({ id }) => id);
  for (let n = 0; n < 2; n++) {
    const [{ fence }] = await claim(sql, { limit: 2 });
    await settle(sql, fence, [], "failed");
  }
  assert.deepEqual(await statuses(sql, tasks), ["failed", "failed"]);
  await sql`select redrive_tasks('{"statuses": ["failed"]}', 'b', p_dry_run => false)`;
  const first = await claim(sql, { limit: 9, types: ["b"] });
  assert.deepEqual(
    ids(first),
    [tasks[0]],
    "one at a time, in the order in which they were enqueued",
  );
  await settle(sql, first[0].fence, [], "succeeded");
  assert.deepEqual(ids(await claim(sql, { limit: 9, types: ["b"] })), [tasks[1]]);
});

testTasks("a task can depend on others wherever they wait", async ({ sql }) => {
  const parents = await onePerPlace(sql);
  const list = parents.map((parent) => ({ type: "child", depends_on: [parent] }));
  const children = (await sql`select id from enqueue_tasks(${sql.json(list)})`).map(({ id }) => id);
  for (const child of children) assert.deepEqual(await placesOf(sql, child), ["waiting"]);
  while ((await sql`select from tasks where status = 'pending'`).length > 0) {
    for (const { fence } of await claimAll(sql)) await settle(sql, fence, [], "succeeded");
  }
  assert.deepEqual(await statuses(sql, children), Array(4).fill("completed"));
});
