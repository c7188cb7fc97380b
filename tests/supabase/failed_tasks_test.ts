import assert from "node:assert/strict";
import type { Row, Sql } from "postgres";
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

const list = async (sql: Sql, filter: object = {}, limit = 100, cursor: string | null = null) => [
  ...await sql`select * from failed_tasks(${sql.json(filter as never)}, ${limit}, ${cursor})`,
];

async function redrive(sql: Sql, filter: object, options: {
  type?: string;
  perSecond?: number;
  start?: Date;
  dry?: boolean;
  limit?: number;
} = {}): Promise<Row> {
  const { type = null, perSecond = null, start = null, dry = false, limit = 1000 } = options;
  const [{ answer }] = await sql`
    select redrive_tasks(${
    sql.json(filter as never)
  }, ${type}, ${perSecond}, ${start}, ${dry}, ${limit}) as answer`;
  return answer;
}

/** Enqueues tasks and lets them fail for good; returns their ids. */
async function fail(
  sql: Sql,
  type: string,
  count: number,
  error = "no",
  options = {},
): Promise<string[]> {
  const tasks = await enqueue(sql, type, count, options);
  const [{ fence }] = await claim(sql, { types: [type], limit: count });
  await settle(sql, fence, tasks.map((id) => ({ id, status: "failed", permanent: true, error })));
  return tasks;
}

testTasks("failed tasks tell their last error and all of their history", async ({ sql }) => {
  await testClock(sql, { stopped: true });
  const [id] = await enqueue(sql, "a", 1, {
    payload: { to: "x" },
    unique_key: "k",
    max_attempts: 2,
  });
  const [first] = await claim(sql);
  await settle(sql, first.fence, [{ id, status: "failed", error: "one" }]);
  await sql`update tasks set run_at = null where id = ${id}`;
  assert.deepEqual(await list(sql), [], "not yet for good");
  const [second] = await claim(sql);
  await settle(sql, second.fence, [{ id, status: "failed", error: "two" }]);
  const [row] = await list(sql);
  assert.deepEqual([row.id, row.type, row.payload, row.unique_key], [id, "a", { to: "x" }, "k"]);
  assert.deepEqual([row.attempts, row.error], [2, "two"]);
  assert.ok(row.failed_at instanceof Date);
  assert.deepEqual(
    row.history.map(({ attempt, outcome, error }: Row) => [attempt, outcome, error]),
    [[1, "failed", "one"], [2, "failed", "two"]],
  );
});

testTasks(
  "failed tasks are listed page by page, the latest first, by a filter",
  async ({ sql }) => {
    const clock = await testClock(sql, { stopped: true });
    const old = await fail(sql, "a", 12, "503");
    await clock.advance("1 s");
    const young = await fail(sql, "b", 3, "404");
    const pages: string[][] = [];
    for (let cursor: string | null = null;;) {
      const page: Row[] = await list(sql, {}, 4, cursor);
      if (page.length === 0) break;
      pages.push(page.map(({ id }) => id));
      cursor = page.at(-1)!.cursor;
    }
    assert.deepEqual(pages.map(({ length }) => length), [4, 4, 4, 3]);
    assert.deepEqual(pages.flat(), [...old, ...young].toReversed());
    assert.deepEqual((await list(sql, { error: "4__" })).map(({ id }) => id), young.toReversed());
    await assertRefused(list(sql, {}, 4, "7"), "PT400", /p_cursor/);
    await assertRefused(list(sql, { statuses: ["pending"] }), "PT400", /p_filter\.statuses/);
  },
);

testTasks("redriving gives all attempts anew, and the history says so", async ({ sql }) => {
  const tasks = await fail(sql, "a", 3, "503");
  const [other] = await fail(sql, "a", 1, "404");
  assert.equal((await redrive(sql, { error: "503" }, { dry: true })).tasks, 3);
  const answer = await redrive(sql, { error: "503" });
  assert.deepEqual([answer.tasks, answer.more, answer.dry_run], [3, false, false]);
  assert.deepEqual(await statuses(sql, [...tasks, other]), [
    "pending",
    "pending",
    "pending",
    "failed",
  ]);
  const [granted] = await claim(sql, { limit: 1 });
  assert.deepEqual([granted.id, granted.attempt], [tasks[0], 1]);
  const history = await sql`select outcome from task_attempts(${tasks[0]})`;
  assert.deepEqual(history.map(({ outcome }) => outcome), ["failed", "redriven"]);
  await assertRefused(redrive(sql, {}), "PT400", /^p_filter must be an object with a field/);
  assert.equal((await redrive(sql, { statuses: ["failed"] })).tasks, 1, "all, when one says so");
});

testTasks(
  "redriven at a rate, so many are due each second, the oldest failure first",
  async ({ sql }) => {
    const clock = await testClock(sql, { stopped: true });
    const first = await fail(sql, "a", 25);
    await clock.advance("1 s");
    await fail(sql, "a", 5, "other");
    const one = await redrive(sql, { types: ["a"] }, { perSecond: 10, limit: 20 });
    assert.deepEqual([one.tasks, one.more], [20, true]);
    const two = await redrive(sql, { types: ["a"] }, {
      perSecond: 10,
      limit: 20,
      start: new Date(Date.parse(one.last_run_at) + 1000),
    });
    assert.deepEqual([two.tasks, two.more], [10, false]);
    const due = [];
    for (let second = 0; second < 4; second++) {
      due.push(ids(await claim(sql, { limit: 100 })));
      await clock.advance("1 s");
    }
    assert.deepEqual(due.map(({ length }) => length), [10, 10, 10, 0]);
    assert.deepEqual(due.flat().slice(0, 25).toSorted(), first);
    const slow = await fail(sql, "b", 3);
    const { last_run_at } = await redrive(sql, { types: ["b"] }, { perSecond: 0.1 });
    const [{ start }] = await sql`select min(run_at) as start from tasks where id = any (${slow})`;
    assert.equal(Date.parse(last_run_at) - start.getTime(), 20_000);
  },
);

testTasks(
  "redriven as another type, a task keeps its id, and its key among those",
  async ({ sql }) => {
    const [free, taken] = [
      ...await fail(sql, "a", 1, "no", { unique_key: "free" }),
      ...await fail(sql, "a", 1, "no", { unique_key: "taken" }),
    ];
    await enqueue(sql, "b", 1, { unique_key: "taken" });
    assert.equal((await redrive(sql, { types: ["a"] }, { type: "b", dry: true })).tasks, 1);
    assert.equal((await redrive(sql, { types: ["a"] }, { type: "b" })).tasks, 1);
    const rows =
      await sql`select id, type, status from tasks where id in (${free}, ${taken}) order by id`;
    assert.deepEqual(rows.map(({ type, status }) => [type, status]), [["b", "pending"], [
      "a",
      "failed",
    ]]);
    const again = await sql`select * from enqueue_tasks('[{"type": "b", "unique_key": "free"}]')`;
    assert.equal(again[0].id, free);
    assert.equal((await claim(sql, { types: ["b"], limit: 9 })).length, 2);
  },
);

testTasks("a rate or a type that is none is refused by name", async ({ sql }) => {
  await assertRefused(redrive(sql, { types: ["a"] }, { perSecond: 0 }), "PT400", /p_per_second/);
  await assertRefused(redrive(sql, { types: ["a"] }, { type: " " }), "PT400", /p_type/);
});
