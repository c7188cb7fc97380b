// Beginning to wait, and what those that waited get: parents' outcomes and results.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import {
  assertRefused,
  claim,
  enqueue,
  ids,
  settle,
  statuses,
  testTasks,
} from "../support/tasks.ts";

const UNKNOWN = "00000000-0000-8000-8000-000000000000";

/** Enqueues tasks in one call; returns their ids. */
async function put(sql: Sql, ...tasks: Record<string, unknown>[]): Promise<string[]> {
  return ids([
    ...await sql<{ id: string }[]>`select id from enqueue_tasks(${sql.json(tasks as never)})`,
  ]);
}

const claimed = async (sql: Sql, types: string[] | null = null) =>
  ids(await claim(sql, { types, limit: 100 }));

const dependencies = async (sql: Sql, type: string) => {
  const [task] = await sql`select dependencies from claim_tasks('w', array[${type}], 1)`;
  return task?.dependencies;
};

testTasks(
  "a task waits until all it depends on are completed, and gets their results",
  async ({ sql }) => {
    const [first, second, child] = await put(
      sql,
      { type: "fetch", payload: { n: 1 } },
      { type: "fetch", payload: { n: 2 } },
      { type: "sum", depends_on: [1, 0] },
    );
    assert.deepEqual(await statuses(sql, [child]), ["pending"]);
    const [counts] = await sql`select tasks::int from task_counts() where status = 'pending'`;
    assert.equal(counts.tasks, 3);
    const [one] = await claim(sql);
    const [two] = await claim(sql);
    assert.deepEqual([one.id, two.id].sort(), [first, second].sort());
    assert.deepEqual(await claimed(sql), []);
    await settle(sql, one.fence, [{ id: one.id, status: "succeeded", result: { of: one.id } }]);
    assert.deepEqual(await claimed(sql), []);
    await settle(sql, two.fence, [{ id: two.id, status: "succeeded" }]);
    assert.deepEqual(await dependencies(sql, "sum"), [
      { id: second, status: "completed", result: second === one.id ? { of: second } : null },
      { id: first, status: "completed", result: first === one.id ? { of: first } : null },
    ]);
  },
);

testTasks(
  "settle_and_claim_tasks brings dependencies, and nothing of the kind for others",
  async ({ sql }) => {
    const [, child] = await put(sql, { type: "a" }, { type: "b", depends_on: [0] });
    const [{ fence }] = await claim(sql);
    const [{ answer }] = await sql`
    select settle_and_claim_tasks(${fence}, '[]', 'succeeded', 'w', null, 10) as answer`;
    // What this transaction ended, a stricter one leaves to the next to tell.
    const tasks = answer.tasks.length > 0
      ? answer.tasks
      : await sql`select id, dependencies from claim_tasks('w')`;
    assert.deepEqual(ids(tasks), [child]);
    assert.equal(tasks[0].dependencies[0].status, "completed");
    await enqueue(sql, "plain", 3);
    const [plain] = await sql`select dependencies from claim_tasks('w')`;
    assert.equal(plain.dependencies, null);
  },
);

testTasks("any: one that is completed is enough", async ({ sql }) => {
  const [, , child] = await put(
    sql,
    { type: "a" },
    { type: "b" },
    { type: "c", depends_on: [0, 1], depends_mode: "any" },
  );
  const [b] = await claim(sql, { types: ["b"] });
  await settle(sql, b.fence, [], "succeeded");
  assert.deepEqual((await dependencies(sql, "c")).map((d: { status: string }) => d.status), [
    "pending",
    "completed",
  ]);
  assert.deepEqual(await statuses(sql, [child]), ["processing"]);
  // The other one ends later, and nobody waits for it any more.
  const [a] = await claim(sql, { types: ["a"] });
  await settle(sql, a.fence, [], "succeeded");
  assert.deepEqual(await claimed(sql), []);
});

testTasks(
  "parents that have ended already count by their outcome, pruned ones are unknown",
  async ({ sql }) => {
    const [done] = await enqueue(sql, "a");
    await settle(sql, (await claim(sql))[0].fence, [{ id: done, status: "succeeded", result: 7 }]);
    const [cancelled] = await enqueue(sql, "a");
    await sql`select cancel_tasks(array[${cancelled}::uuid])`;
    const tasks = await put(
      sql,
      { type: "runs", depends_on: [done] },
      { type: "ends", depends_on: [done, cancelled] },
      { type: "after all", depends_on: [cancelled], on_parent_failure: "run" },
      { type: "for a redrive", depends_on: [cancelled], on_parent_failure: "wait" },
    );
    assert.deepEqual(await statuses(sql, tasks), ["pending", "cancelled", "pending", "pending"]);
    assert.deepEqual((await claimed(sql)).sort(), [tasks[0], tasks[2]].sort());
    await sql`select prune_tasks('0 s')`;
    await assertRefused(
      put(sql, { type: "b", depends_on: [done] }),
      "PT400",
      /^p_tasks\[0\]\.depends_on\[0\] is not the id of a task/,
    );
  },
);

testTasks(
  "a parent that was pruned is told by the status it had, without its result",
  async ({ sql }) => {
    const [, , child] = await put(sql, { type: "a" }, { type: "b" }, {
      type: "c",
      depends_on: [0, 1],
    });
    const [a] = await claim(sql, { types: ["a"] });
    await settle(sql, a.fence, [{ id: a.id, status: "succeeded", result: 1 }]);
    await sql`select dibs.tell_late()`;
    await sql`select prune_tasks('0 s')`;
    const [b] = await claim(sql, { types: ["b"] });
    await settle(sql, b.fence, [{ id: b.id, status: "succeeded", result: 2 }]);
    assert.deepEqual(await dependencies(sql, "c"), [
      { id: a.id, status: "completed", result: null },
      { id: b.id, status: "completed", result: 2 },
    ]);
    const rows = await sql`select id, status, awaited from task_dependencies(${child})`;
    assert.deepEqual([...rows], [
      { id: a.id, status: "completed", awaited: false },
      { id: b.id, status: "completed", awaited: false },
    ]);
  },
);

testTasks(
  "a task that waits for none runs at once; one that is there already keeps what it waits for",
  async ({ sql }) => {
    const [a, none, keyed] = await put(
      sql,
      { type: "a" },
      { type: "none", depends_on: [] },
      { type: "keyed", unique_key: "k", depends_on: [0] },
    );
    const [again, after] = await put(
      sql,
      { type: "keyed", unique_key: "k", depends_on: [none] },
      { type: "after", depends_on: [0, 0] },
    );
    assert.equal(again, keyed);
    assert.deepEqual((await claimed(sql)).sort(), [a, none].sort());
    const [{ fence }] = await sql`select fence::text from dibs.lease`;
    await settle(sql, fence, [], "succeeded");
    const [next] = await claim(sql, { limit: 100 });
    assert.equal(next.id, keyed);
    await settle(sql, next.fence, [], "succeeded");
    assert.deepEqual(await claimed(sql), [after]);
  },
);

testTasks("create_task takes dependencies as options", async ({ sql }) => {
  const [a] = await enqueue(sql, "a");
  const options = sql.json({ depends_on: [a] });
  const [{ id }] = await sql`select create_task('b', p_options => ${options}) as id`;
  assert.deepEqual(await claimed(sql), [a]);
  assert.deepEqual(await statuses(sql, [id]), ["pending"]);
});

testTasks(
  "neither before its own time, nor by hand, can a task that waits be claimed",
  async ({ sql }) => {
    const clock = await testClock(sql);
    const [a, child] = await put(sql, { type: "a" }, { type: "b", depends_on: [0] });
    await sql`update public.tasks set run_at = dibs.clock() + interval '1 hour' where id = ${child}`;
    const moved = await sql`
    update public.tasks set status = 'processing' where id = ${child} returning id`;
    assert.equal(moved.length, 0);
    const [{ fence }] = await claim(sql);
    await settle(sql, fence, [{ id: a, status: "succeeded" }]);
    assert.deepEqual(await claimed(sql), []);
    await clock.advance("61 minutes");
    assert.deepEqual(await claimed(sql), [child]);
  },
);

testTasks("what a task cannot depend on is refused, and nothing was enqueued", async ({ sql }) => {
  const [a] = await enqueue(sql, "a");
  const refusals: [Record<string, unknown>[], RegExp][] = [
    [
      [{ type: "x", depends_on: [0] }],
      /^p_tasks\[0\]\.depends_on\[0\] is not the place of an earlier/,
    ],
    [
      [{ type: "x", depends_on: [1] }, { type: "y", depends_on: [0] }],
      /^p_tasks\[0\]\.depends_on\[0\] is not/,
    ],
    [
      [{ type: "x" }, { type: "y", depends_on: [a, 2] }, { type: "z" }],
      /^p_tasks\[1\]\.depends_on\[1\] is not/,
    ],
    [
      [{ type: "x", depends_on: [a, UNKNOWN] }],
      /^p_tasks\[0\]\.depends_on\[1\] is not the id of a task/,
    ],
    [[{ type: "x", depends_on: a }], /^p_tasks\[0\]\.depends_on is not a field/],
    [[{ type: "x", depends_on: ["a"] }], /^p_tasks\[0\]\.depends_on is not a field/],
    [[{ type: "x", depends_on: [-1] }], /^p_tasks\[0\]\.depends_on is not a field/],
    [[{ type: "x", depends_on: [a], depends_mode: "some" }], /^p_tasks\[0\]\.depends_mode/],
    [
      [{ type: "x", depends_on: [a], on_parent_failure: "cry" }],
      /^p_tasks\[0\]\.on_parent_failure/,
    ],
  ];
  for (const [tasks, message] of refusals) {
    await assertRefused(put(sql, ...tasks), "PT400", message);
  }
  await assertRefused(
    sql`select create_task('x', p_options => ${sql.json({ depends_on: [0] })})`,
    "PT400",
    /^p_options\.depends_on\[0\] is not the place of an earlier task/,
  );
  const [{ n }] = await sql`select count(*)::int as n from public.tasks`;
  assert.equal(n, 1);
});
