// Telling those that wait: outcomes, policies, and every way in which two can be at it at once.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { claim, ids, settle, statuses, testTasks } from "../support/tasks.ts";

async function put(sql: Sql, ...tasks: Record<string, unknown>[]): Promise<string[]> {
  return ids([
    ...await sql<{ id: string }[]>`select id from enqueue_tasks(${sql.json(tasks as never)})`,
  ]);
}

async function end(sql: Sql, type: string, status: string): Promise<void> {
  const [{ id, fence }] = await claim(sql, { types: [type] });
  await settle(sql, fence, [{ id, status, permanent: true }]);
  // Of transactions that are stricter, it is the next to tell.
  await sql`select dibs.tell_late()`;
}

const cancel = (sql: Sql, id: string) => sql`select cancel_tasks(array[${id}::uuid])`;
const retry = (sql: Sql, id: string) => sql`select retry_tasks(array[${id}::uuid])`;
const claimed = async (sql: Sql) => ids(await claim(sql, { limit: 100 }));

const POLICIES = {
  all: {
    cancel: { failed: "cancelled", rest: "cancelled" },
    run: { failed: "waits", rest: "runs" },
    wait: { failed: "waits", rest: "waits" },
  },
  any: {
    cancel: { failed: "waits", rest: "runs" },
    run: { failed: "runs", rest: "runs" },
    wait: { failed: "waits", rest: "runs" },
  },
} as const;

for (const [mode, policies] of Object.entries(POLICIES)) {
  for (const [policy, expected] of Object.entries(policies)) {
    testTasks(
      `${mode}, ${policy}: a parent fails, then the other is completed`,
      async ({ sql }) => {
        const [, , child] = await put(
          sql,
          { type: "a" },
          { type: "b" },
          { type: "c", depends_on: [0, 1], depends_mode: mode, on_parent_failure: policy },
        );
        const fate = async () => {
          const [{ status }] = await sql`
          select case when w.task is not null then 'waits' when t.status = 'pending' then 'runs' else t.status end
            as status
          from public.tasks t left join dibs.waiting w on w.task = dibs.task_of(t.id) where t.id = ${child}`;
          return status;
        };
        await end(sql, "a", "failed");
        assert.equal(await fate(), expected.failed);
        await end(sql, "b", "succeeded");
        assert.equal(await fate(), expected.rest);
      },
    );
  }
}

testTasks("any, cancel: only when the last parent is missed too", async ({ sql }) => {
  const [a, , child] = await put(
    sql,
    { type: "a" },
    { type: "b" },
    { type: "c", depends_on: [0, 1], depends_mode: "any" },
  );
  await cancel(sql, a);
  await sql`select dibs.tell_late()`;
  assert.deepEqual(await statuses(sql, [child]), ["pending"]);
  await end(sql, "b", "failed");
  assert.deepEqual(await statuses(sql, [child]), ["cancelled"]);
});

testTasks("a cancelled parent takes a long chain along, in one call", async ({ sql }) => {
  const chain = [
    { type: "a" },
    ...Array.from({ length: 999 }, (_, n) => ({ type: "b", depends_on: [n] })),
  ];
  const tasks = await put(sql, ...chain);
  await cancel(sql, tasks[0]);
  for (let calls = 0; calls < 1000; calls++) {
    const [{ left }] = await sql`select count(*)::int as left from dibs.untold`;
    if (left === 0) break;
    await sql`select dibs.tell_late()`;
  }
  assert.deepEqual(new Set(await statuses(sql, tasks)), new Set(["cancelled"]));
});

testTasks("a parent that is redriven counts by its new outcome", async ({ sql }) => {
  const [a, child] = await put(sql, { type: "a" }, {
    type: "b",
    depends_on: [0],
    on_parent_failure: "wait",
  });
  await end(sql, "a", "failed");
  await retry(sql, a);
  await end(sql, "a", "succeeded");
  assert.deepEqual(await claimed(sql), [child]);
});

testTasks(
  "a child that was cancelled with its parent runs when somebody retries it",
  async ({ sql }) => {
    const [, child] = await put(sql, { type: "a" }, { type: "b", depends_on: [0] });
    await end(sql, "a", "failed");
    assert.deepEqual(await statuses(sql, [child]), ["cancelled"]);
    await retry(sql, child);
    const [task] = await sql`select id, dependencies from claim_tasks('w')`;
    assert.equal(task.id, child);
    assert.equal(task.dependencies[0].status, "failed");
  },
);

testTasks(
  "a parent that runs once more changes nothing for a child that has its outcome",
  async ({ sql }) => {
    const [a, , child] = await put(sql, { type: "a" }, { type: "b" }, {
      type: "c",
      depends_on: [0, 1],
    });
    await end(sql, "a", "succeeded");
    await sql`update public.tasks set status = 'pending' where id = ${a}`;
    await end(sql, "b", "succeeded");
    assert.deepEqual((await claimed(sql)).sort(), [a, child].sort());
  },
);

testTasks(
  "a parent that is deleted counts as cancelled, a child that is deleted is gone",
  async ({ sql }) => {
    const [a, b, child, other] = await put(
      sql,
      { type: "a" },
      { type: "b" },
      { type: "c", depends_on: [0, 1] },
      { type: "d", depends_on: [1] },
    );
    await sql`delete from public.tasks where id = ${a}`;
    await sql`select dibs.tell_late()`;
    assert.deepEqual(await statuses(sql, [child]), ["cancelled"]);
    await sql`delete from public.tasks where id = ${other}`;
    await end(sql, "b", "succeeded");
    assert.deepEqual(await statuses(sql, [b, other]), ["completed", "gone"]);
  },
);

testTasks("a child that is cancelled waits no more", async ({ sql }) => {
  const [, child, grandchild] = await put(
    sql,
    { type: "a" },
    { type: "b", depends_on: [0] },
    { type: "c", depends_on: [1], on_parent_failure: "run" },
  );
  await cancel(sql, child);
  await sql`select dibs.tell_late()`;
  await end(sql, "a", "succeeded");
  assert.deepEqual(await statuses(sql, [child]), ["cancelled"]);
  assert.deepEqual(await claimed(sql), [grandchild]);
});

testTasks("thousands of children are let go in portions, each once", async ({ sql }) => {
  const [a] = await put(sql, { type: "a" });
  for (let calls = 0; calls < 3; calls++) {
    await put(sql, ...Array(1000).fill({ type: "b", depends_on: [a] }));
  }
  await end(sql, "a", "succeeded");
  const granted = new Set<string>();
  for (let calls = 0; calls < 40 && granted.size < 3000; calls++) {
    for (const { id } of await claim(sql, { limit: 1000 })) {
      assert.ok(!granted.has(id));
      granted.add(id);
    }
  }
  assert.equal(granted.size, 3000);
});
