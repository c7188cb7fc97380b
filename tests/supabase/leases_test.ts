// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
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

interface Next {
  settled: number;
  lost: string[];
  fence: string | null;
  lease_expires_at: string | null;
  lease_ms: number;
  tasks: { id: string; type: string; payload: unknown; attempt: number; max_attempts: number }[];
}

async function settleAndClaim(
  sql: Sql,
  fence: string,
  { outcomes = [], rest = "succeeded", limit = 2, requestId = null }: {
    outcomes?: Outcome[];
    rest?: string | null;
    limit?: number;
    requestId?: string | null;
  } = {},
): Promise<Next> {
  const [{ next }] = await sql`
    select settle_and_claim_tasks(
      ${fence}, ${
    sql.json(outcomes as never)
  }, ${rest}, 'worker', null, ${limit}, 60, ${requestId}) as next`;
  return next;
}

testTasks("a renewal returns what is held, and shows its progress", async ({ sql }) => {
  const tasks = await enqueue(sql, "a", 3);
  const [{ fence }] = await claim(sql, { limit: 2 });
  const progress = {
    [tasks[0]]: { done: 5 },
    [tasks[1].toUpperCase()]: "half",
    [tasks[1]]: "half",
    [tasks[2]]: "not mine",
    nonsense: 1,
  };
  assert.deepEqual((await renew(sql, fence, 60, progress)).toSorted(), tasks.slice(0, 2));
  const rows = await sql`select progress from tasks where id = any (${tasks}) order by id`;
  assert.deepEqual(rows.map((row) => row.progress), [{ done: 5 }, "half", null]);
  await renew(sql, fence, 60, { [tasks[0]]: { done: 6 } });
  const [{ progress: newest }] = await sql`select progress from tasks where id = ${tasks[0]}`;
  assert.deepEqual(newest, { done: 6 });
});

testTasks(
  "a renewed lease is not reaped, and one that lapsed can be renewed until somebody takes it",
  async ({ sql }) => {
    const clock = await testClock(sql);
    await enqueue(sql, "a", 1);
    const [{ fence }] = await claim(sql, { seconds: 10 });
    await clock.advance("8 s");
    assert.equal((await renew(sql, fence, 10)).length, 1);
    await clock.advance("8 s");
    assert.deepEqual(await claim(sql), []);
    await clock.advance("8 s");
    assert.equal((await renew(sql, fence, 10)).length, 1, "nobody had taken it");
    assert.deepEqual(await claim(sql), []);
    await clock.advance("11 s");
    assert.equal((await claim(sql)).length, 1);
    assert.deepEqual(await renew(sql, fence, 10), []);
  },
);

testTasks("settling and claiming the next is one call", async ({ sql }) => {
  const tasks = await enqueue(sql, "a", 5);
  const first = await settleAndClaim(sql, "0");
  assert.deepEqual([first.settled, first.lost, ids(first.tasks)], [0, [], tasks.slice(0, 2)]);
  assert.deepEqual(first.tasks[0], {
    id: tasks[0],
    type: "a",
    payload: { n: 0 },
    attempt: 1,
    max_attempts: 5,
  });
  assert.ok(first.lease_ms > 50_000 && first.lease_ms <= 60_000);
  const second = await settleAndClaim(sql, first.fence!);
  assert.deepEqual([second.settled, ids(second.tasks)], [2, tasks.slice(2, 4)]);
  const third = await settleAndClaim(sql, second.fence!, {
    outcomes: [{ id: tasks[2], status: "failed", permanent: true }, {
      id: tasks[0],
      status: "failed",
    }],
  });
  assert.deepEqual([third.settled, third.lost, ids(third.tasks)], [2, [tasks[0]], [tasks[4]]]);
  const last = await settleAndClaim(sql, third.fence!);
  assert.deepEqual(last, {
    settled: 1,
    lost: [],
    fence: null,
    lease_expires_at: null,
    lease_ms: 0,
    tasks: [],
  });
  assert.deepEqual(await statuses(sql, tasks), [
    "completed",
    "completed",
    "failed",
    "completed",
    "completed",
  ]);
});

testTasks(
  "an error in the claim settles nothing, an error in the outcomes claims nothing",
  async ({ sql }) => {
    const tasks = await enqueue(sql, "a", 5);
    const { fence } = await settleAndClaim(sql, "0");
    const before = await contents(sql);
    await assertRefused(settleAndClaim(sql, fence!, { limit: 0 }), "PT400", /^p_limit/);
    await assertRefused(
      settleAndClaim(sql, fence!, { outcomes: [{ id: tasks[0], status: "done" }] }),
      "PT400",
      /^p_outcomes\[0\]\.status/,
    );
    await assertRefused(settleAndClaim(sql, "fence"), "PT400", /^p_fence/);
    assert.deepEqual(await contents(sql), before);
  },
);

testTasks(
  "a repeated settlement is answered the same, and settles nothing new",
  async ({ sql }) => {
    const tasks = await enqueue(sql, "a", 4);
    const [{ fence }] = await claim(sql, { limit: 2 });
    const outcomes = [{ id: tasks[0], status: "released" }, { id: tasks[3], status: "succeeded" }];
    const first = await settle(sql, fence, outcomes, null, "r");
    assert.deepEqual(first, { settled: 1, lost: [tasks[3]] });
    const before = await contents(sql);
    assert.deepEqual(await settle(sql, fence, outcomes, null, "r"), first);
    assert.deepEqual(await contents(sql), before);
    await assertRefused(settleAndClaim(sql, fence, { requestId: "r" }), "PT409", /^p_request_id/);
  },
);

testTasks("a repeated settle-and-claim gets the same grant", async ({ sql }) => {
  await enqueue(sql, "a", 6);
  const { fence } = await settleAndClaim(sql, "0");
  const first = await settleAndClaim(sql, fence!, { requestId: "r" });
  const again = await settleAndClaim(sql, fence!, { requestId: "r" });
  assert.deepEqual({ ...again, lease_ms: 0 }, { ...first, lease_ms: 0 });
  await settle(sql, first.fence!, [], "succeeded");
  const late = await settleAndClaim(sql, fence!, { requestId: "r" });
  assert.deepEqual([late.settled, late.fence, late.tasks], [2, first.fence, []]);
});

testTasks("settlements of tasks do not read the claims on thoughts", async ({ sql }) => {
  await sql`insert into thoughts (content) select 'x' from generate_series(1, 2000)`;
  await sql`insert into thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at, status)
    select id, 'enrichment', 'w', now(), 'succeeded' from thoughts`;
  await sql`analyze thought_work_claims`;
  await enqueue(sql, "a", 2);
  const read = async () => {
    await sql`select pg_stat_force_next_flush()`;
    const [{ rows }] = await sql`
      select seq_tup_read::int as rows from pg_stat_user_tables where relname = 'thought_work_claims'`;
    return rows;
  };
  const connection = await sql.reserve();
  const before = await read();
  const [task] = await claim(connection, { limit: 2 });
  await settle(connection, task.fence, [{ id: task.id, status: "succeeded" }]);
  await settle(connection, task.fence, [], "succeeded");
  await settle(connection, task.fence, [{ id: task.id, status: "succeeded" }]);
  await connection`select pg_stat_force_next_flush()`;
  connection.release();
  assert.equal(await read(), before);
});
