import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { contents } from "../support/contents.ts";
import { pidOf, startBlocked, untilBlockedBy } from "../support/locks.ts";
import {
  assertRefused,
  claim,
  enqueue,
  enqueueSingles,
  ids,
  renew,
  settle,
  statuses,
  testTasks,
} from "../support/tasks.ts";

const UNKNOWN = "00000000-0000-4000-8000-000000000000";

const cancel = async (sql: Sql, tasks: (string | null)[]) =>
  (await sql`select id from cancel_tasks(${tasks as string[]}) id order by 1`).map(({ id }) => id);
const retry = async (sql: Sql, tasks: (string | null)[]) =>
  (await sql`select id from retry_tasks(${tasks as string[]}) id order by 1`).map(({ id }) => id);
const fail = async (sql: Sql, type = "a") => {
  const [{ fence, id }] = await claim(sql, { types: [type] });
  await settle(sql, fence, [{ id, status: "failed", permanent: true }]);
};

testTasks("cancelling takes tasks out of the queue and out of leases", async ({ sql }) => {
  const tasks = await enqueue(sql, "a", 100);
  const [{ fence }] = await claim(sql, { limit: 50 });
  const chosen = [tasks[10], tasks[49], tasks[50], tasks[99]];
  assert.deepEqual(await cancel(sql, [...chosen, UNKNOWN, null, chosen[0]].slice(0, 6)), chosen);
  assert.deepEqual(await statuses(sql, chosen), Array(4).fill("cancelled"));
  assert.equal((await renew(sql, fence)).length, 48);
  assert.ok(!(await renew(sql, fence)).includes(tasks[10]));
  const late = await settle(sql, fence, [{ id: tasks[10], status: "succeeded" }], "succeeded");
  assert.deepEqual(late, { settled: 48, lost: [tasks[10]] });
  assert.equal((await claim(sql, { limit: 1000 })).length, 48);
  assert.deepEqual(await cancel(sql, chosen), [], "once is enough");
});

testTasks("when all of a lease is cancelled the lease is lost", async ({ sql }) => {
  const tasks = await enqueue(sql, "a", 3);
  const [{ fence }] = await claim(sql, { limit: 3 });
  assert.deepEqual(await cancel(sql, tasks), tasks);
  assert.deepEqual(await renew(sql, fence), []);
  assert.deepEqual(await settle(sql, fence, [{ id: tasks[0], status: "succeeded" }]), {
    settled: 0,
    lost: [tasks[0]],
  });
});

testTasks("a cancel finds a task however often claims cut its run meanwhile", async (db) => {
  const [gate, canceller] = [db.connect(), db.connect()];
  // Each look of the cancel stops after its snapshot, until a claim has put the rest of the run
  // elsewhere.
  await db.sql`
    create or replace function dibs.runs_of(p_tasks int8multirange) returns setof int8multirange
      language plpgsql as $$
    begin
      perform pg_advisory_lock(n), pg_advisory_unlock(n) from generate_series(1, 2) n;
      return next p_tasks;
    end $$`;
  const target = (await enqueue(db.sql, "a", 1000))[99];
  await gate`begin`; // or a pooler might give its connection, with its locks, to others
  await gate`select pg_advisory_lock(1)`;
  const [cancelPid, gatePid] = [await pidOf(canceller), await pidOf(gate)];
  const cancelling = cancel(canceller, [target]);
  for (const limit of [60, 30, 5, 2]) {
    await untilBlockedBy(db.sql, cancelPid, gatePid);
    assert.equal((await claim(db.sql, { limit })).length, limit);
    await gate`select pg_advisory_lock(2), pg_advisory_unlock(1)`;
    await untilBlockedBy(db.sql, cancelPid, gatePid);
    await gate`select pg_advisory_lock(1), pg_advisory_unlock(2)`;
  }
  await gate`select pg_advisory_unlock_all()`;
  assert.deepEqual(await cancelling, [target]);
});

testTasks("retrying gives failed and cancelled tasks all their attempts anew", async ({ sql }) => {
  const [failed, cancelled, done, waiting] = await enqueue(sql, "a", 4, { max_attempts: 1 });
  const [{ fence }] = await claim(sql, { limit: 3 });
  await cancel(sql, [cancelled]);
  await settle(sql, fence, [{ id: failed, status: "failed" }], "succeeded");
  assert.deepEqual(await retry(sql, [failed, cancelled, done, waiting, UNKNOWN]), [
    failed,
    cancelled,
  ]);
  assert.deepEqual(await statuses(sql, [failed, cancelled, done, waiting]), [
    "pending",
    "pending",
    "completed",
    "pending",
  ]);
  const again = (await claim(sql, { limit: 10 })).filter(({ id }) => id === failed);
  assert.deepEqual(again.map(({ attempt }) => attempt), [1]);
  assert.deepEqual(await settle(sql, again[0].fence, [{ id: failed, status: "failed" }]), {
    settled: 1,
    lost: [],
  });
  assert.deepEqual(await statuses(sql, [failed]), ["failed"]);
  const history = await sql`select attempt, outcome from task_attempts(${failed})`;
  assert.deepEqual(history.map(({ outcome }) => outcome), ["failed", "retried", "failed"]);
});

testTasks(
  "retrying leaves alone what has a unique key another task has by now",
  async ({ sql }) => {
    const [old] = await enqueue(sql, "a", 1, { unique_key: "k" });
    await fail(sql);
    const [young] = await enqueue(sql, "a", 1, { unique_key: "k" });
    assert.deepEqual(await retry(sql, [old]), []);
    await fail(sql);
    // Both have ended: one of them, and only one, can have the key again.
    assert.equal((await retry(sql, [old, young, old])).length, 1);
    assert.equal((await claim(sql, { limit: 10 })).length, 1);
  },
);

testTasks("of a retry and an enqueue of the same unique key one gets it", async (db) => {
  const [a, b] = [db.connect(), db.connect()];
  const [old] = await enqueue(db.sql, "a", 1, { unique_key: "k" });
  await fail(db.sql);
  await a`begin`;
  const [young] = await enqueue(a, "a", 1, { unique_key: "k" });
  const retrying = await startBlocked(db.sql, b, (b) => retry(b, [old]));
  await a`commit`;
  assert.deepEqual(await retrying.done, []);
  assert.deepEqual(await statuses(db.sql, [old, young]), ["failed", "pending"]);
});

testTasks("a worker's tasks are all handed back at once, no attempt burned", async ({ sql }) => {
  const tasks = await enqueueSingles(sql, "a", 250);
  await claim(sql, { worker: "dying", limit: 100 });
  await claim(sql, { worker: "dying", limit: 100 });
  const [other] = await claim(sql, { worker: "other", limit: 50 });
  const [{ released }] = await sql`select release_tasks_for_worker('dying') as released`;
  assert.equal(released, 200);
  const again = await claim(sql, { limit: 1000 });
  assert.deepEqual(ids(again).toSorted(), tasks.slice(0, 200));
  assert.ok(again.every(({ attempt }) => attempt === 1));
  assert.equal((await renew(sql, other.fence)).length, 50);
  assert.equal((await sql`select release_tasks_for_worker('dying') as n`)[0].n, 0);
});

testTasks(
  "pruning deletes what ended long enough ago, and everything about it",
  async ({ sql }) => {
    const clock = await testClock(sql);
    const tasks = await enqueue(sql, "a", 10);
    const [{ fence }] = await claim(sql, { limit: 4 });
    await renew(sql, fence, 60, { [tasks[0]]: "half" });
    await sql`select effect_begin(${fence}, ${tasks[0]}, 'email')`;
    await settle(sql, fence, [
      { id: tasks[0], status: "succeeded", result: 1 },
      { id: tasks[1], status: "failed", permanent: true },
    ], "succeeded");
    await clock.advance("1 day");
    const [young] = await claim(sql);
    await settle(sql, young.fence, [], "succeeded");
    assert.equal((await sql`select prune_tasks('1 hour') as n`)[0].n, "4");
    assert.deepEqual(await statuses(sql, tasks.slice(0, 5)), [
      "gone",
      "gone",
      "gone",
      "gone",
      "completed",
    ]);
    for (const table of ["attempt", "result", "progress", "effect"]) {
      assert.equal((await sql`select from ${sql("dibs." + table)}`).length, 0, table);
    }
    assert.equal((await sql`select prune_tasks('0') as n`)[0].n, "1");
    assert.equal((await sql`select from tasks`).length, 5);
  },
);

testTasks("task_counts counts what public.tasks shows", async ({ sql }) => {
  const tasks = await enqueue(sql, "a", 120);
  await enqueueSingles(sql, "b", 7);
  const [{ fence }] = await claim(sql, { types: ["a"], limit: 50 });
  await settle(sql, fence, [
    { id: tasks[0], status: "failed", permanent: true },
    ...tasks.slice(1, 20).map((id) => ({ id, status: "succeeded" })),
  ]);
  await cancel(sql, tasks.slice(60, 63));
  const counts = await sql`select status, tasks::int from task_counts()`;
  assert.deepEqual(Object.fromEntries(counts.map(({ status, tasks }) => [status, tasks])), {
    pending: 74,
    processing: 30,
    completed: 19,
    failed: 1,
    cancelled: 3,
  });
  const grouped = await sql`select status, count(*)::int as tasks from tasks group by status`;
  assert.deepEqual(
    [...counts].map(({ status, tasks }) => `${status} ${tasks}`).toSorted(),
    grouped.map(({ status, tasks }) => `${status} ${tasks}`).toSorted(),
  );
});

testTasks("bad arguments are refused, and nothing changes", async ({ sql }) => {
  const tasks = await enqueue(sql, "a", 3);
  const many = Array.from({ length: 1001 }, () => tasks[0]);
  const before = await contents(sql);
  await assertRefused(cancel(sql, many), "PT400", /p_ids/);
  await assertRefused(retry(sql, many), "PT400", /p_ids/);
  await assertRefused(sql`select prune_tasks('-1 day')`, "PT400", /^p_keep/);
  await assertRefused(sql`select prune_tasks(null)`, "PT400", /^p_keep/);
  await assertRefused(sql`select release_tasks_for_worker(' ')`, "PT400", /^p_worker_id/);
  assert.deepEqual(await cancel(sql, []), []);
  assert.equal((await sql`select from task_attempts(${UNKNOWN})`).length, 0);
  assert.deepEqual(await contents(sql), before);
});
