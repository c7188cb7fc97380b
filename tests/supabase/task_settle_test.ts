import assert from "node:assert/strict";
import { testClock } from "../support/clock.ts";
import { contents } from "../support/contents.ts";
import {
  assertRefused,
  claim,
  enqueue,
  ids,
  type Outcome,
  renew,
  settle,
  statuses,
  testTasks,
} from "../support/tasks.ts";

const UNKNOWN = "00000000-0000-4000-8000-000000000000";

testTasks("a whole lease is settled by its fence alone", async ({ sql }) => {
  for (
    const [rest, status] of [["succeeded", "completed"], ["failed", "pending"], [
      "released",
      "pending",
    ]]
  ) {
    const tasks = await enqueue(sql, rest, 150);
    const [{ fence }] = await claim(sql, { types: [rest], limit: 150 });
    assert.deepEqual(await settle(sql, fence, [], rest), { settled: 150, lost: [] });
    assert.deepEqual(new Set(await statuses(sql, tasks)), new Set([status]));
    assert.deepEqual(await renew(sql, fence), []);
  }
});

testTasks(
  "each task named gets its own outcome, and the rest what is said of the rest",
  async ({ sql }) => {
    const tasks = await enqueue(sql, "a", 6);
    const [{ fence }] = await claim(sql, { limit: 6 });
    const answer = await settle(sql, fence, [
      { id: tasks[0], status: "succeeded", result: { plan: 1 } },
      { id: tasks[1], status: "failed", error: "no luck", permanent: true },
      { id: tasks[2], status: "failed", error: "try again" },
      { id: tasks[3], status: "released" },
    ], "succeeded");
    assert.deepEqual(answer, { settled: 6, lost: [] });
    assert.deepEqual(await statuses(sql, tasks), [
      "completed",
      "failed",
      "pending",
      "pending",
      "completed",
      "completed",
    ]);
    const rows =
      await sql`select result, error, attempts from tasks where id = any (${tasks}) order by id`;
    assert.deepEqual(rows.slice(0, 4).map((row) => ({ ...row })), [
      { result: { plan: 1 }, error: null, attempts: 1 },
      { result: null, error: "no luck", attempts: 1 },
      { result: null, error: "try again", attempts: 1 },
      { result: null, error: null, attempts: 0 },
    ]);
  },
);

testTasks("without a word about the rest it stays leased", async ({ sql }) => {
  const tasks = await enqueue(sql, "a", 4);
  const [{ fence }] = await claim(sql, { limit: 4 });
  const done: Outcome[] = [{ id: tasks[1], status: "succeeded" }, {
    id: tasks[3],
    status: "succeeded",
  }];
  assert.deepEqual(await settle(sql, fence, done), { settled: 2, lost: [] });
  assert.deepEqual((await renew(sql, fence)).toSorted(), [tasks[0], tasks[2]]);
  assert.deepEqual(await settle(sql, fence), { settled: 0, lost: [] });
  assert.deepEqual(await settle(sql, fence, [], "succeeded"), { settled: 2, lost: [] });
});

testTasks(
  "ids the lease does not hold are named as lost, the others are settled",
  async ({ sql }) => {
    const tasks = await enqueue(sql, "a", 4);
    const [mine, theirs] = [await claim(sql, { limit: 2 }), await claim(sql, { limit: 2 })];
    const answer = await settle(sql, mine[0].fence, [
      { id: tasks[0], status: "succeeded" },
      { id: tasks[2], status: "succeeded", result: "stolen" },
      { id: UNKNOWN, status: "failed" },
    ]);
    assert.deepEqual({ ...answer, lost: answer.lost.toSorted() }, {
      settled: 1,
      lost: [UNKNOWN, tasks[2]],
    });
    assert.deepEqual(ids(theirs), await renew(sql, theirs[0].fence));
    assert.equal((await sql`select from dibs.result`).length, 0);
  },
);

testTasks("a fence that is gone, foreign or never was changes nothing", async ({ sql }) => {
  const clock = await testClock(sql);
  const tasks = await enqueue(sql, "a", 2);
  const [{ fence: gone }] = await claim(sql, { limit: 2, seconds: 1 });
  await clock.advance("2 s");
  const [{ fence: holds }] = await claim(sql, { limit: 2, worker: "next" });
  const before = await contents(sql);
  for (const fence of [gone, "999999999999999999"]) {
    for (const status of ["succeeded", "failed", "released"]) {
      const outcomes = tasks.map((id) => ({ id, status }));
      assert.deepEqual(await settle(sql, fence, outcomes), { settled: 0, lost: tasks });
      assert.deepEqual(await settle(sql, fence, [], status), { settled: 0, lost: [] });
    }
    assert.deepEqual(await renew(sql, fence), []);
  }
  assert.deepEqual(await contents(sql), before);
  assert.deepEqual(await settle(sql, holds, [], "succeeded"), { settled: 2, lost: [] });
});

testTasks(
  "saying the same again counts as settled, saying something else is lost",
  async ({ sql }) => {
    const [done, failed] = await enqueue(sql, "a", 2);
    const [{ fence }] = await claim(sql, { limit: 2 });
    const outcomes = [{ id: done, status: "succeeded" }, { id: failed, status: "failed" }];
    assert.deepEqual(await settle(sql, fence, outcomes), { settled: 2, lost: [] });
    const before = await contents(sql);
    assert.deepEqual(await settle(sql, fence, outcomes), { settled: 2, lost: [] });
    const opposite = [{ id: done, status: "failed" }, { id: failed, status: "succeeded" }];
    assert.deepEqual(await settle(sql, fence, opposite), { settled: 0, lost: [done, failed] });
    assert.deepEqual(await contents(sql), before);
  },
);

testTasks(
  "an outcome of what the lease does not hold leaves its very row alone",
  async ({ sql }) => {
    await enqueue(sql, "a");
    const [{ fence }] = await claim(sql);
    const before = [...await sql`select ctid::text, * from dibs.lease`];
    const { lost } = await settle(sql, fence, [{ id: UNKNOWN, status: "succeeded" }]);
    assert.deepEqual(lost, [UNKNOWN]);
    assert.deepEqual([...await sql`select ctid::text, * from dibs.lease`], before);
  },
);

testTasks("bad outcomes are refused with their path, and nothing is settled", async ({ sql }) => {
  const [a, b] = await enqueue(sql, "a", 2);
  const [{ fence }] = await claim(sql, { limit: 2 });
  const before = await contents(sql);
  const refused = (outcomes: unknown[], message: RegExp) =>
    assertRefused(settle(sql, fence, outcomes as Outcome[], "succeeded"), "PT400", message);
  const good = { id: a, status: "succeeded" };
  await refused([good, { id: b, status: "completed" }], /^p_outcomes\[1\]\.status/);
  await refused([good, { id: "b", status: "failed" }], /^p_outcomes\[1\]\.id/);
  await refused([good, { ...good, status: "failed" }], /^p_outcomes\[1\]\.id is named twice/);
  await refused([good, { ...good, id: a.toUpperCase() }], /^p_outcomes\[1\]\.id is named twice/);
  await refused([good, { id: b, status: "failed", attempts: 3 }], /^p_outcomes\[1\]/);
  await refused(["x"], /^p_outcomes\[0\]/);
  // The same task under two ids: they differ in what is random about an id.
  const twin = `${a.slice(0, 24)}000000000000`;
  await refused([{ ...good, result: 1 }, { ...good, id: twin, result: 2 }], /^p_outcomes/);
  await refused([{ ...good, status: "failed" }, { id: twin, status: "failed" }], /^p_outcomes/);
  await assertRefused(settle(sql, fence, [good], "done"), "PT400", /^p_rest/);
  await assertRefused(settle(sql, "x", [good]), "PT400", /^p_fence/);
  assert.deepEqual(await contents(sql), before);
});

testTasks("an error is kept with its attempt, cut when it is endless", async ({ sql }) => {
  const [id] = await enqueue(sql, "a");
  const [{ fence }] = await claim(sql);
  await settle(sql, fence, [{ id, status: "failed", error: "é".repeat(10_000), permanent: true }]);
  const [{ error }] = await sql`select error from tasks where id = ${id}`;
  assert.equal(error, "é".repeat(4_000));
});

testTasks(
  "a task fails for good after max_attempts failures, each after a longer wait",
  async ({ sql }) => {
    const clock = await testClock(sql);
    const [id] = await enqueue(sql, "a", 1, { max_attempts: 4 });
    const waits = [];
    for (let attempt = 1; attempt <= 4; attempt++) {
      const [task] = await claim(sql, { worker: `worker-${attempt}` });
      assert.equal(task.attempt, attempt);
      await settle(sql, task.fence, [{ id, status: "failed", error: `error ${attempt}` }]);
      if (attempt === 4) break;
      assert.deepEqual(await claim(sql), [], "it waits first");
      const [{ wait }] = await sql`
      select extract(epoch from run_at - dibs.clock())::float as wait from tasks where id = ${id}`;
      waits.push(wait);
      await clock.advance(`${wait + 0.01} s`);
    }
    for (const [n, wait] of waits.entries()) {
      assert.ok(wait > 2 ** n * 0.7 && wait <= 2 ** n * 1.25, `after failure ${n + 1}: ${wait} s`);
    }
    assert.deepEqual(await statuses(sql, [id]), ["failed"]);
    const history = await sql`select attempt, outcome, worker_id, error from task_attempts(${id})`;
    assert.deepEqual(
      history.map((row) => ({ ...row })),
      [1, 2, 3, 4].map((n) => ({
        attempt: n,
        outcome: "failed",
        worker_id: `worker-${n}`,
        error: `error ${n}`,
      })),
    );
  },
);

testTasks("the wait after a failure is clamped, however many there were", async ({ sql }) => {
  const rows = await sql`
    select failures, extract(epoch from dibs.backoff(failures))::float as wait
    from unnest(array[-1, 0, 1, 12, 62, 1100, 2000, 2147483647]) failures`;
  for (const { failures, wait } of rows) {
    assert.ok(wait >= 0.75 && wait <= 3600 * 1.25, `after ${failures}: ${wait} s`);
  }
  // A task with 2,000 failures behind it fails once more, without an error.
  const [id] = await enqueue(sql, "a", 1, { max_attempts: 100 });
  await sql`insert into dibs.attempt (task, n, outcome, ended_at)
    select dibs.task_of(${id}), n, case when n = 2000 then 'retried' else 'failed' end, now()
    from generate_series(1, 2000) n`;
  await sql`update dibs.ready set plain = false where true`;
  const [{ fence }] = await claim(sql);
  assert.deepEqual(await settle(sql, fence, [{ id, status: "failed" }]), { settled: 1, lost: [] });
  assert.deepEqual(await statuses(sql, [id]), ["pending"]);
});

testTasks("what is handed back burns no attempt and is due at once", async ({ sql }) => {
  const [id] = await enqueue(sql, "a", 1, { max_attempts: 1 });
  for (let n = 0; n < 5; n++) {
    const [task] = await claim(sql);
    assert.deepEqual([task.id, task.attempt], [id, 1]);
    await settle(sql, task.fence, [], "released");
  }
});

testTasks(
  "what is handed back is due at once, also when it was first meant for later",
  async ({ sql }) => {
    const run_at = new Date(Date.now() + 3_600_000).toISOString();
    const [id] = await enqueue(sql, "a", 1, { run_at });
    await sql`update tasks set run_at = now() where id = ${id}`;
    const [{ fence }] = await claim(sql);
    await settle(sql, fence, [], "released");
    assert.deepEqual(ids(await claim(sql)), [id]);
  },
);
