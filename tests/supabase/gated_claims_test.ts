import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { claim, enqueue, enqueueSingles, ids, settle, testTasks } from "../support/tasks.ts";

interface Payload {
  n: number;
}

const numbers = (tasks: { payload: unknown }[]) =>
  tasks.map(({ payload }) => (payload as Payload).n);

/** Claims and completes one task after the other; returns their keys, or order keys. */
async function keysInTurn(sql: Sql, count: number, column = "key"): Promise<string[]> {
  const keys = [];
  for (let n = 0; n < count; n++) {
    const [task] = await claim(sql);
    const [row] = await sql`select ${sql(column)} as key from tasks where id = ${task.id}`;
    keys.push(row.key);
    await settle(sql, task.fence, [], "succeeded");
  }
  return keys;
}

testTasks("one key's many tasks do not hold up another's few", async ({ sql }) => {
  await enqueue(sql, "a", 300, { key: "big" });
  await enqueue(sql, "a", 3, { key: "small" });
  const turns = await keysInTurn(sql, 6);
  assert.equal(turns.filter((key) => key === "small").length, 3);
  assert.notEqual(turns[0], turns[1]);
});

testTasks(
  "a batch is shared out between the keys, and what one cannot use the others get",
  async ({ sql }) => {
    await enqueue(sql, "a", 50, { key: "big" });
    await enqueue(sql, "a", 3, { key: "small" });
    await enqueue(sql, "a", 50, { key: "other" });
    const shares = async (limit: number) => {
      const tasks = await claim(sql, { limit });
      const rows = await sql`
      select key, count(*)::int from tasks where id = any (${ids(tasks)}) group by 1 order by 1`;
      return Object.fromEntries(rows.map(({ key, count }) => [key, count]));
    };
    assert.deepEqual(await shares(6), { big: 2, other: 2, small: 2 });
    assert.deepEqual(await shares(21), { big: 10, other: 10, small: 1 });
    assert.deepEqual(await shares(100), { big: 38, other: 38 });
  },
);

testTasks(
  "tasks of an order key run one at a time, in the order they came, also over retries",
  async ({ sql }) => {
    const clock = await testClock(sql);
    await enqueue(sql, "a", 3, { order_key: "x" });
    await enqueue(sql, "a", 2, { order_key: "y" });
    await enqueue(sql, "b", 1, { order_key: "x" });
    const first = await claim(sql, { limit: 10, types: ["a"] });
    assert.deepEqual(numbers(first), [0, 0]);
    assert.equal(
      (await claim(sql, { limit: 10 })).length,
      1,
      "the order key of another type is another",
    );
    await settle(
      sql,
      first[0].fence,
      [{ id: first[0].id, status: "failed", error: "no" }],
      "succeeded",
    );
    assert.deepEqual(
      numbers(await claim(sql, { limit: 10 })),
      [1],
      "x waits for its retry, y goes on",
    );
    await clock.advance("10 s");
    const [again] = await claim(sql, { limit: 10 });
    assert.deepEqual([again.id, again.attempt], [first[0].id, 2]);
    await settle(sql, again.fence, [{ id: again.id, status: "failed", permanent: true }]);
    const [second] = await claim(sql, { limit: 10 });
    assert.equal(numbers([second])[0], 1);
    await sql`select cancel_tasks(${[second.id]})`;
    const [third] = await claim(sql, { limit: 10 });
    assert.equal(numbers([third])[0], 2);
    await sql`select retry_tasks(${[again.id]})`;
    assert.deepEqual(await claim(sql, { limit: 10 }), []);
    await settle(sql, third.fence, [], "succeeded");
    assert.deepEqual(ids(await claim(sql, { limit: 10 })), [again.id]);
  },
);

testTasks(
  "order keys of one key take turns, and what waits for its time keeps its order key back",
  async ({ sql }) => {
    const clock = await testClock(sql);
    for (const order_key of ["p", "q", "r"]) await enqueue(sql, "a", 2, { key: "k", order_key });
    assert.deepEqual(await keysInTurn(sql, 6, "order_key"), ["p", "q", "r", "p", "q", "r"]);
    const run_at = new Date(Date.now() + 60_000).toISOString();
    await enqueue(sql, "a", 1, { order_key: "s", run_at });
    await enqueue(sql, "a", 1, { order_key: "s" });
    assert.deepEqual(await claim(sql), []);
    await clock.advance("61 s");
    assert.equal((await keysInTurn(sql, 2, "order_key")).length, 2);
  },
);

testTasks("priority comes before turn, with and without keys", async ({ sql }) => {
  await enqueue(sql, "a", 1, { key: "x", priority: 5 });
  await enqueue(sql, "a", 1, { priority: 3 });
  await enqueue(sql, "a", 1, { key: "y", priority: 1 });
  await enqueueSingles(sql, "b", 1);
  const tasks = [];
  for (let n = 0; n < 4; n++) tasks.push(...await claim(sql));
  const rows = await sql`select id, priority from tasks`;
  const byId = new Map(rows.map(({ id, priority }) => [id, priority]));
  assert.deepEqual(ids(tasks).map((id) => byId.get(id)), [0, 1, 3, 5]);
});

testTasks("what waits grows in priority where settings say so", async ({ sql }) => {
  const clock = await testClock(sql);
  await sql`select dibs.configure('priority_aging', '1 minute')`;
  for (const type of ["plain", "keyed"]) {
    const key = type === "keyed" ? { key: "k" } : {};
    const [old] = await enqueue(sql, type, 1, { priority: 2, ...key });
    await clock.advance("100 s");
    const [urgent] = await enqueue(sql, type, 1, key);
    await enqueue(sql, type, 1, { priority: 1, ...key });
    assert.deepEqual(ids(await claim(sql, { types: [type] })), [urgent]);
    await enqueue(sql, type, 1, key);
    await sql`select cancel_tasks(array[${urgent}::uuid])`;
    await clock.advance("80 s");
    assert.deepEqual(ids(await claim(sql, { types: [type] })), [old]);
  }
});

testTasks("keys are shown, and bad ones refused", async ({ sql }) => {
  const [{ id }] = await sql`
    select create_task('a', p_options => '{"key": "acme", "order_key": "doc 1"}') as id`;
  assert.deepEqual([...await sql`select key, order_key, status from tasks where id = ${id}`], [
    { key: "acme", order_key: "doc 1", status: "pending" },
  ]);
  await sql`insert into tasks (type, key) values ('a', 'acme')`;
  for (const key of ["", " ", "x".repeat(201), 7, "a\nb"]) {
    await assert.rejects(
      () => enqueue(sql, "a", 1, { key } as object),
      /p_tasks\[0\]\.key is not a field of a task or has the wrong type/,
    );
  }
  await sql`delete from tasks where id = ${id}`;
  const [left] =
    await sql`select (select count(*) from dibs.task_key)::int as keys, (select count(*) from dibs.in_order)::int as orders`;
  assert.deepEqual({ ...left }, { keys: 1, orders: 0 });
});
