import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { assertRefused, claim, enqueue, ids, settle, testTasks } from "../support/tasks.ts";

const held = async (sql: Sql, limit = 100, types: string[] | null = null) =>
  (await claim(sql, { limit, types })).map(({ payload }) => (payload as { n: number }).n);

testTasks(
  "no more of a type run at once than its limit, and a place comes back with its lease",
  async ({ sql }) => {
    await enqueue(sql, "a", 5);
    await enqueue(sql, "b", 2);
    await sql`select set_task_limit('a', 2)`;
    const first = await claim(sql, { limit: 10 });
    assert.deepEqual(first.map(({ type }) => type).sort(), ["a", "a", "b", "b"]);
    assert.deepEqual(await claim(sql, { limit: 10 }), []);
    await settle(sql, first[0].fence, [], "succeeded");
    const second = await claim(sql, { types: ["a"], limit: 10 });
    assert.equal(second.length, 2);
    await settle(sql, second[0].fence, [{ id: second[0].id, status: "released" }]);
    assert.equal((await claim(sql, { limit: 10 })).length, 1);
    await sql`select cancel_tasks(${[second[1].id]})`;
    assert.equal((await claim(sql, { limit: 10 })).length, 1);
    assert.deepEqual(await claim(sql, { limit: 10 }), []);
  },
);

testTasks(
  "what a worker that is gone held makes room again when its lease ends",
  async ({ sql }) => {
    const clock = await testClock(sql);
    await sql`select set_task_limit('a', 1)`;
    await enqueue(sql, "a", 2);
    const [lost] = await claim(sql, { seconds: 10, types: ["a"] });
    assert.deepEqual(await claim(sql), []);
    await clock.advance("11 s");
    const again = await claim(sql, { limit: 2 });
    assert.equal(again.length, 1);
    await settle(sql, again[0].fence, [], "succeeded");
    const [last] = await claim(sql, { limit: 2 });
    assert.ok([again[0], last].some(({ id, attempt }) => id === lost.id && attempt === 2));
  },
);

testTasks(
  "what ran already counts, and a lowered limit lets nothing new begin until it is kept",
  async ({ sql }) => {
    await enqueue(sql, "a", 9);
    const before = await claim(sql, { limit: 3 });
    await sql`select set_task_limit('a', 2)`;
    assert.deepEqual(await claim(sql), []);
    await settle(sql, before[0].fence, [{ id: before[0].id, status: "succeeded" }]);
    assert.deepEqual(await claim(sql), []);
    await settle(sql, before[0].fence, [{ id: before[2].id, status: "succeeded" }]);
    assert.equal((await claim(sql, { limit: 5 })).length, 1);
    await sql`select set_task_limit('a', 4)`;
    const more = await claim(sql, { limit: 5 });
    assert.equal(more.length, 2);
    await sql`select set_task_limit('a', 1)`;
    await settle(sql, before[0].fence, [], "succeeded");
    await settle(sql, more[0].fence, [], "succeeded");
    assert.deepEqual(await claim(sql), []);
    const [{ removed }] = await sql`select remove_task_limit('a') as removed`;
    assert.equal(removed, true);
    assert.equal((await claim(sql, { limit: 9 })).length, 3);
  },
);

testTasks("each key has a limit of its own, and one of them another", async ({ sql }) => {
  await sql`select set_task_limit('a', 1, p_each_key => true)`;
  await sql`select set_task_limit('a', 2, 'big')`;
  for (const key of ["big", "small", "tiny"]) await enqueue(sql, "a", 3, { key });
  await enqueue(sql, "a", 2);
  const tasks = await claim(sql, { limit: 100 });
  const keys = await sql`select key, count(*)::int from tasks where id = any (${
    ids(tasks)
  }) group by 1 order by 1`;
  assert.deepEqual(keys.map((row) => [row.key, row.count]), [
    ["big", 2],
    ["small", 1],
    ["tiny", 1],
    [null, 2],
  ]);
  await sql`select set_task_limit('a', 7)`;
  await settle(sql, tasks[0].fence, [{ id: tasks.at(-1)!.id, status: "succeeded" }]);
  assert.ok((await claim(sql, { limit: 100 })).length <= 2);
});

testTasks(
  "a rate lets so many through in a time, and says when the next may go",
  async ({ sql }) => {
    const clock = await testClock(sql, { stopped: true });
    await sql`select set_task_rate('a', 6, '1 minute', 2)`;
    await enqueue(sql, "a", 9);
    assert.deepEqual(await held(sql), [0, 1]);
    assert.deepEqual(await held(sql), []);
    const [gate] = await sql`select rate, burst, running, retry_after_seconds from task_gates()`;
    assert.deepEqual({ ...gate }, { rate: 6, burst: 2, running: "2", retry_after_seconds: 10 });
    await clock.advance("9 s");
    assert.deepEqual(await held(sql), []);
    await clock.advance("1 s");
    assert.deepEqual(await held(sql), [2]);
    await clock.advance("1 hour");
    assert.equal((await held(sql)).length, 2);
  },
);

testTasks("each key has a rate of its own", async ({ sql }) => {
  await testClock(sql, { stopped: true });
  await sql`select set_task_rate('a', 1, '1 hour', p_each_key => true)`;
  await enqueue(sql, "a", 2, { key: "x" });
  await enqueue(sql, "a", 2, { key: "y" });
  assert.equal((await claim(sql, { limit: 9 })).length, 2);
  assert.deepEqual(await claim(sql, { limit: 9 }), []);
  await sql`select remove_task_rate('a', p_each_key => true)`;
  assert.equal((await claim(sql, { limit: 9 })).length, 2);
});

testTasks(
  "what is paused is not claimed, whatever puts it back, and what runs is counted down",
  async ({ sql }) => {
    await enqueue(sql, "a", 3);
    await enqueue(sql, "b", 1);
    await enqueue(sql, "a", 2, { key: "x" });
    const running = await claim(sql, { types: ["a"], limit: 2 });
    const pause = async (type: string | null, key: string | null = null) =>
      Number((await sql`select pause_tasks(${type}, ${key}) as held`)[0].held);
    assert.equal(await pause("a"), 2);
    assert.equal((await claim(sql, { limit: 9 })).length, 1);
    await settle(sql, running[0].fence, [{ id: running[0].id, status: "released" }], "failed");
    assert.equal(await pause("a"), 0);
    await enqueue(sql, "a", 150);
    assert.deepEqual(await claim(sql, { types: ["a"], limit: 9 }), []);
    assert.deepEqual(await claim(sql, { limit: 9 }), []);
    const [{ tasks }] = await sql`select tasks::int from task_counts() where status = 'pending'`;
    assert.equal(tasks, 155);
    assert.equal(
      (await sql`select count(*)::int from tasks where status = 'pending'`)[0].count,
      155,
    );
    assert.equal(await pause("a", "x"), 0);
    assert.deepEqual([...await sql`select resume_tasks('a') as was`], [{ was: true }]);
    assert.deepEqual([...await sql`select resume_tasks('a') as was`], [{ was: false }]);
    const rest = await claim(sql, { limit: 1000 });
    assert.equal(rest.length, 152); // one waits for its backoff, two are paused
    await pause(null);
    await enqueue(sql, "c");
    assert.deepEqual(await claim(sql), []);
    await sql`select resume_tasks()`;
    assert.equal((await claim(sql))[0].type, "c");
  },
);

testTasks("bad gates are refused with what is wrong", async ({ sql }) => {
  await assertRefused(
    sql`select set_task_limit('a', 0)`,
    "PT400",
    /p_limit must be between 1 and 10000/,
  );
  await assertRefused(sql`select set_task_limit('', 1)`, "PT400", /p_type must not be empty/);
  await assertRefused(sql`select set_task_limit(null, 1)`, "PT400", /p_type must not be empty/);
  await assertRefused(sql`select set_task_limit('a', 1, '')`, "PT400", /p_key must not be empty/);
  await assertRefused(sql`select set_task_limit('a', 1, 'x', true)`, "PT400", /p_each_key/);
  await assertRefused(sql`select set_task_rate('a', 1, '0 s')`, "PT400", /p_period/);
  await assertRefused(sql`select pause_tasks(null, 'x')`, "PT400", /p_type must not be empty/);
});
