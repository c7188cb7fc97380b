import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { startBlocked } from "../support/locks.ts";
import {
  assertRefused,
  claim,
  enqueue,
  enqueueSingles,
  ids,
  settle,
  statuses,
  testTasks,
} from "../support/tasks.ts";

testTasks("a claim grants tasks with all a worker needs", async ({ sql }) => {
  const [id] = await enqueue(sql, "a", 1, { max_attempts: 3 });
  const before = Date.now();
  const [task, ...others] = await claim(sql, { seconds: 60 });
  const { fence, lease_expires_at, ...rest } = task;
  assert.deepEqual(rest, { id, type: "a", payload: { n: 0 }, attempt: 1, max_attempts: 3 });
  assert.match(fence, /^\d+$/);
  assert.ok(lease_expires_at.getTime() >= before + 60_000 - 1);
  assert.deepEqual(others, []);
  assert.deepEqual(await statuses(sql, [id]), ["processing"]);
});

testTasks("a grant says how long its lease lasts yet", async ({ sql }) => {
  const clock = await testClock(sql);
  await enqueue(sql, "a");
  const askAgain = async () => {
    const [{ lease_ms }] = await sql`select lease_ms from claim_tasks('w', null, 1, 60, 'r')`;
    return lease_ms;
  };
  assert.ok(await askAgain() <= 60_000);
  await clock.advance("20 s");
  assert.ok(await askAgain() <= 40_000);
  await clock.advance("50 s");
  assert.equal(await askAgain(), 0);
});

for (
  const { way, types } of [{ way: "by its hint", types: ["a"] }, {
    way: "of several types",
    types: ["a", "b"],
  }]
) {
  testTasks(
    `a lease begins when its tasks are taken, not when the claim began to wait: ${way}`,
    async (db) => {
      const clock = await testClock(db.sql, { stopped: true });
      await enqueue(db.sql, "a");
      // Twice over the same connection, which then knows the tables and waits for nothing but the tasks.
      const worker = db.connect();
      const ask = async (sql: Sql) => {
        await sql`begin isolation level read committed`;
        const granted = await claim(sql, { types, seconds: 60 });
        await sql`commit`;
        return granted;
      };
      const [lost] = await ask(worker);
      const holder = db.connect();
      await holder`begin`;
      await holder`lock table dibs.ready in access exclusive mode`;
      const waiting = await startBlocked(db.sql, worker, ask);
      await clock.advance("61 s");
      await holder`select reap_tasks()`;
      await holder`commit`;
      const [{ attempt, lease_expires_at }] = await waiting.done;
      assert.equal(attempt, 2);
      assert.equal(lease_expires_at.getTime(), lost.lease_expires_at.getTime() + 61_000);
    },
  );
}

testTasks("smaller priorities go first, then what is due longest", async ({ sql }) => {
  const late = await enqueue(sql, "a", 2, { priority: 5 });
  const urgent = await enqueue(sql, "b", 2, { priority: -1 });
  const normal = await enqueue(sql, "a", 2);
  const order = ids(await claim(sql, { limit: 5 })).concat(ids(await claim(sql, { limit: 5 })));
  assert.deepEqual(order, [...urgent, ...normal, ...late]);
});

testTasks("claim_task takes the oldest due task whatever its type", async ({ sql }) => {
  const order = [];
  for (const type of ["b", "c", "a", "b", "a", "c"]) order.push(...await enqueue(sql, type));
  const claimed = [];
  for (const _ of order) {
    const [task] = await sql`select * from claim_task()`;
    claimed.push(task.id);
  }
  assert.deepEqual(claimed, order);
  assert.deepEqual([...await sql`select * from claim_task()`], []);
});

testTasks("a task is invisible until its run_at", async ({ sql }) => {
  const clock = await testClock(sql);
  const run_at = new Date(Date.now() + 3_600_000).toISOString();
  const [later] = await enqueue(sql, "a", 1, { run_at });
  const [now] = await enqueue(sql, "a");
  assert.deepEqual(ids(await claim(sql, { limit: 10, seconds: 7200 })), [now]);
  assert.deepEqual(await claim(sql, { limit: 10 }), []);
  await clock.advance("1 hour");
  assert.deepEqual(ids(await claim(sql, { limit: 10 })), [later]);
});

testTasks("a claim with types takes only those", async ({ sql }) => {
  await enqueue(sql, "a", 3);
  const b = await enqueue(sql, "b", 3);
  const c = await enqueue(sql, "c", 3);
  assert.deepEqual(ids(await claim(sql, { types: ["b", "c"], limit: 10 })).toSorted(), [
    ...b,
    ...c,
  ]);
  assert.deepEqual(await claim(sql, { types: ["b", "c", "unknown"] }), []);
  assert.deepEqual(await claim(sql, { types: [] }), []);
});

testTasks("a limit is never overshot, whatever the sizes of the runs", async ({ sql }) => {
  for (const count of [1, 2, 100, 3, 1, 40, 250, 1, 1, 7]) await enqueue(sql, "a", count);
  const all = new Set<string>();
  for (const limit of [1, 5, 1, 90, 7, 100, 1, 150, 3, 1000]) {
    const tasks = await claim(sql, { limit });
    assert.ok(tasks.length <= limit);
    for (const { id } of tasks) {
      assert.ok(!all.has(id));
      all.add(id);
    }
  }
  assert.equal(all.size, 406);
});

testTasks("a run that is cut goes on where it was cut", async ({ sql }) => {
  const order = await enqueue(sql, "a", 100);
  const claimed = [];
  for (const limit of [1, 1, 30, 7, 100]) claimed.push(...ids(await claim(sql, { limit })));
  assert.deepEqual(claimed, order);
});

testTasks(
  "singles claimed together become one outcome, cut where a page of 128 ends",
  async ({ sql }) => {
    const order = await enqueueSingles(sql, "a", 300);
    const tasks = await claim(sql, { limit: 1000 });
    assert.deepEqual(ids(tasks), order);
    const [{ held }] = await sql`select held::text from dibs.lease`;
    assert.match(held, /^\{\[\d+,\d+\)\}$/);
    assert.deepEqual(await settle(sql, tasks[0].fence, [], "succeeded"), {
      settled: 300,
      lost: [],
    });
    const [{ outcomes }] = await sql`select count(*)::int as outcomes from dibs.outcome`;
    assert.ok(outcomes <= 4, `${outcomes} outcomes`);
  },
);

testTasks("fences only grow, and each claim has its own", async ({ sql }) => {
  await enqueue(sql, "a", 30);
  const fences = [];
  for (let n = 0; n < 10; n++) fences.push(Number((await claim(sql, { limit: 3 }))[0].fence));
  assert.deepEqual(fences, [...new Set(fences)].toSorted((a, b) => a - b));
});

testTasks("a claim does not wait for another one, and takes what that one leaves", async (db) => {
  const [a, b] = [db.connect(), db.connect()];
  await enqueue(db.sql, "a", 200);
  await a`begin`;
  const first = await claim(a, { limit: 60 });
  const second = await claim(b, { limit: 60 });
  await a`commit`;
  const third = await claim(b, { limit: 1000 });
  const all = [...first, ...second, ...third];
  assert.equal(first.length, 60);
  assert.equal(new Set(ids(all)).size, all.length);
  // Both rests of runs were put back: nothing is stranded.
  assert.equal(all.length, 200);
});

testTasks("a claim whose transaction rolls back leaves everything as it was", async (db) => {
  const a = db.connect();
  const order = await enqueue(db.sql, "a", 50);
  await a`begin`;
  assert.equal((await claim(a, { limit: 20 })).length, 20);
  await a`rollback`;
  assert.deepEqual(ids(await claim(db.sql, { limit: 100 })), order);
});

testTasks(
  "tasks committed late, behind what was claimed since, go with the very next claim",
  async (db) => {
    const [a, b] = [db.connect(), db.connect()];
    const clock = await testClock(db.sql);
    await enqueue(b, "a");
    await claim(b, { seconds: 3600 });
    for (let round = 0; round < 5; round++) {
      await a`begin`;
      const late = await enqueue(a, "a", 3);
      // Others go on meanwhile, long enough for hints to be made, and used, beyond those three.
      for (let n = 0; n < 4; n++) {
        const [id] = await enqueue(b, "a");
        assert.deepEqual(ids(await claim(b, { limit: 10, seconds: 3600 })), [id]);
        await clock.advance("200 ms");
      }
      assert.deepEqual(await claim(b), []);
      await a`commit`;
      assert.deepEqual(ids(await claim(b, { limit: 10 })), late, `round ${round}`);
    }
  },
);

testTasks("an empty answer says that nothing was due, also right after a slow look", async (db) => {
  const [a, b] = [db.connect(), db.connect()];
  await enqueue(db.sql, "a", 1);
  await a`begin`;
  const late = await enqueue(a, "a");
  await claim(b);
  // As if the last look from the start had taken 40 ms: it is not put off because of that.
  const [lane] = await b`select l::text from dibs.hinted_lane l where type = ''`;
  await b`select dibs.make_hint(${lane.l}::dibs.hint, dibs.clock() - interval '40 ms')`;
  await a`commit`;
  assert.deepEqual(ids(await claim(b)), late);
});

testTasks(
  "tasks of a lease that ended are granted again, with the attempt counted",
  async ({ sql }) => {
    const clock = await testClock(sql);
    const order = await enqueue(sql, "a", 5);
    const [first] = await claim(sql, { limit: 5, seconds: 30 });
    await clock.advance("29 s");
    assert.deepEqual(await claim(sql, { limit: 5 }), []);
    await clock.advance("2 s");
    const again = await claim(sql, { limit: 5 });
    assert.deepEqual(ids(again).toSorted(), order);
    assert.deepEqual(again.map(({ attempt }) => attempt), [2, 2, 2, 2, 2]);
    assert.ok(Number(again[0].fence) > Number(first.fence));
  },
);

testTasks(
  "a repeated claim request gets what its grant still holds, and claims nothing more",
  async ({ sql }) => {
    await enqueue(sql, "a", 10);
    const first = await claim(sql, { limit: 3, requestId: "r" });
    assert.deepEqual(await claim(sql, { limit: 3, requestId: "r" }), first);
    await settle(sql, first[0].fence, [{ id: first[1].id, status: "succeeded" }]);
    assert.deepEqual(await claim(sql, { limit: 3, requestId: "r" }), [first[0], first[2]]);
    await settle(sql, first[0].fence, [], "succeeded");
    assert.deepEqual(await claim(sql, { limit: 3, requestId: "r" }), []);
    assert.equal((await sql`select from tasks where status = 'pending'`).length, 7);
  },
);

testTasks("bad arguments of a claim are refused by name", async ({ sql }) => {
  await assertRefused(claim(sql, { worker: "" }), "PT400", /^p_worker_id must not be empty/);
  await assertRefused(claim(sql, { worker: "w".repeat(201) }), "PT400", /^p_worker_id has 201/);
  await assertRefused(claim(sql, { limit: 0 }), "PT400", /^p_limit must be between 1 and 1000/);
  await assertRefused(claim(sql, { limit: 1001 }), "PT400", /^p_limit/);
  await assertRefused(claim(sql, { seconds: 86401 }), "PT400", /^p_lease_seconds/);
});
