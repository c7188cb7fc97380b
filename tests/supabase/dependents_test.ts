// Telling those that wait: outcomes, policies, and every way in which two can be at it at once.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { startBlocked } from "../support/locks.ts";
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

// Races --------------------------------------------------------------------------------------------

const LEVELS = ["read committed", "repeatable read", "serializable"];
const begin = (sql: Sql, level: string) => sql.unsafe(`begin isolation level ${level}`);

/** Whether it was let in; a stricter transaction may be refused, and is then made again. */
async function unlessRefused(sql: Sql, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    assert.equal((error as { code: string }).code, "40001", String(error));
    await sql`rollback`;
    return false;
  }
}

for (const level of LEVELS) {
  testTasks(`${level}: two parents end at once, and the child is not forgotten`, async (db) => {
    const [, , child] = await put(db.sql, { type: "a" }, { type: "b" }, {
      type: "c",
      depends_on: [0, 1],
    });
    const [one, two] = [db.connect(), db.connect()];
    const grants = [
      (await claim(db.sql, { types: ["a"] }))[0],
      (await claim(db.sql, { types: ["b"] }))[0],
    ];
    await begin(one, level);
    await begin(two, level);
    // Both have looked before either ends.
    await one`select from dibs.waiting`;
    await two`select from dibs.waiting`;
    await settle(one, grants[0].fence, [], "succeeded");
    // Without waiting for the other.
    await settle(two, grants[1].fence, [], "succeeded");
    await one`commit`;
    await two`commit`;
    assert.deepEqual(await claimed(db.sql), [child]);
  });

  testTasks(`${level}: two are told at once of two parents`, async (db) => {
    const [a, b, child] = await put(db.sql, { type: "a" }, { type: "b" }, {
      type: "c",
      depends_on: [0, 1],
    });
    const [holder, one, two] = [db.connect(), db.connect(), db.connect()];
    await holder`begin`;
    await holder`select from dibs.waiting for update`;
    for (const type of ["a", "b"]) {
      const [{ fence }] = await claim(db.sql, { types: [type] });
      await settle(db.sql, fence, [], "succeeded");
    }
    await holder`commit`;
    await db.sql`delete from dibs.untold where run @> dibs.task_of(${b})`;
    await begin(one, level);
    await begin(two, level);
    await one`select from dibs.waiting, dibs.dependency`;
    await two`select from dibs.waiting, dibs.dependency`;
    await one`select dibs.tell_late()`;
    await one`commit`;
    // It sees the child as it was before.
    await db.sql`insert into dibs.untold (run, status)
      select int8multirange(int8range(dibs.task_of(${b}), dibs.task_of(${b}) + 1)), 'completed'`;
    if (
      await unlessRefused(two, () =>
        two`select dibs.decide(dibs.tell(
        int8multirange(int8range(dibs.task_of(${b}), dibs.task_of(${b}) + 1)), 'completed', true))`)
    ) await two`commit`;
    assert.deepEqual(await claimed(db.sql), [child]);
    assert.deepEqual(await statuses(db.sql, [a, b]), ["completed", "completed"]);
  });

  testTasks(`${level}: a parent ends while a child begins to wait for it`, async (db) => {
    const [a] = await put(db.sql, { type: "a" });
    const [{ fence }] = await claim(db.sql);
    const [worker, enqueuer] = [db.connect(), db.connect()];
    await begin(worker, level);
    await worker`select from dibs.dependency`;
    await enqueuer`begin`;
    const [child] = await put(enqueuer, { type: "b", depends_on: [a] });
    const settling = await startBlocked(
      db.sql,
      worker,
      (sql) => settle(sql, fence, [], "succeeded"),
    );
    await enqueuer`commit`;
    await settling.done;
    await worker`commit`;
    assert.deepEqual(await claimed(db.sql), [child]);
  });

  testTasks(`${level}: a child begins to wait while its parent ends`, async (db) => {
    const [a] = await put(db.sql, { type: "a" });
    const [{ fence }] = await claim(db.sql);
    const [worker, enqueuer] = [db.connect(), db.connect()];
    await begin(enqueuer, level);
    await enqueuer`select from dibs.dependency`;
    await worker`begin`;
    await settle(worker, fence, [], "succeeded");
    const enqueuing = await startBlocked(
      db.sql,
      enqueuer,
      (sql) => put(sql, { type: "b", depends_on: [a] }),
    );
    await worker`commit`;
    if (await unlessRefused(enqueuer, () => enqueuing.done)) await enqueuer`commit`;
    else await put(db.sql, { type: "b", depends_on: [a] });
    assert.equal((await claimed(db.sql)).length, 1);
  });

  testTasks(`${level}: a child begins to wait for a task that is claimed meanwhile`, async (db) => {
    const [a] = await put(db.sql, { type: "a" });
    const [worker, enqueuer] = [db.connect(), db.connect()];
    await begin(enqueuer, level);
    await enqueuer`select from dibs.dependency`;
    await worker`begin`;
    const [{ fence }] = await claim(worker);
    const enqueuing = await startBlocked(
      db.sql,
      enqueuer,
      (sql) => put(sql, { type: "b", depends_on: [a] }),
    );
    await worker`commit`;
    if (await unlessRefused(enqueuer, () => enqueuing.done)) {
      const settling = await startBlocked(
        db.sql,
        worker,
        (sql) => settle(sql, fence, [], "succeeded"),
      );
      await enqueuer`commit`;
      await settling.done;
    } else {
      await put(db.sql, { type: "b", depends_on: [a] });
      await settle(db.sql, fence, [], "succeeded");
    }
    assert.equal((await claimed(db.sql)).length, 1);
  });

  testTasks(`${level}: while a child begins to wait, claims pass its parent by`, async (db) => {
    const [a] = await put(db.sql, { type: "a" });
    const [other, enqueuer] = [db.connect(), db.connect()];
    await begin(enqueuer, level);
    await put(enqueuer, { type: "b", depends_on: [a] });
    assert.deepEqual(ids(await claim(other)), []);
    await enqueuer`rollback`;
    assert.deepEqual(ids(await claim(other)), [a]);
  });
}

testTasks(
  "whoever cancels a child and whoever ends its parent do not wait for each other",
  async (db) => {
    const [, child] = await put(db.sql, { type: "a" }, { type: "b", depends_on: [0] });
    const [{ fence }] = await claim(db.sql);
    const canceller = db.connect();
    await canceller`begin`;
    await cancel(canceller, child);
    await settle(db.sql, fence, [], "succeeded");
    await canceller`rollback`;
    assert.deepEqual(await claimed(db.sql), [child]);
  },
);
