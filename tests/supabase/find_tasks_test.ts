import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { assertRefused, claim, enqueue, ids, settle, testTasks } from "../support/tasks.ts";

interface FoundTask {
  id: string;
  type: string;
  cursor: string;
}

const find = async (
  sql: Sql,
  filter: object = {},
  limit = 50,
  before: string | null = null,
): Promise<FoundTask[]> => [
  ...await sql<FoundTask[]>`select * from find_tasks(${
    sql.json(filter as never)
  }, ${limit}, ${before})`,
];

/** Every page, however small; what only says how far a call looked is left out. */
async function findAll(sql: Sql, filter: object, limit: number): Promise<string[]> {
  const found: string[] = [];
  for (let before: string | null = null;;) {
    const page: FoundTask[] = await find(sql, filter, limit, before);
    found.push(...page.filter(({ id }) => id).map(({ id }) => id));
    if (page.length === 0) return found;
    before = page.at(-1)!.cursor;
  }
}

/** Tasks in every place there is, each moment another. */
async function everywhere(sql: Sql) {
  const clock = await testClock(sql, { stopped: true });
  const next = () => clock.advance("1 s");
  const finish = async (type: string, outcomes: object[]) => {
    const [{ fence }] = await claim(sql, { types: [type], limit: 10 });
    await next();
    await settle(sql, fence, outcomes as never);
  };
  const completed = await enqueue(sql, "a", 3);
  await finish("a", completed.map((id) => ({ id, status: "succeeded" })));
  await next();
  const failed = await enqueue(sql, "b", 2, { unique_key: undefined });
  await finish("b", failed.map((id) => ({ id, status: "failed", permanent: true, error: "503" })));
  await next();
  const cancelled = await enqueue(sql, "b", 1);
  await sql`select cancel_tasks(${cancelled}::uuid[])`;
  await next();
  const processing = await enqueue(sql, "c", 2);
  await claim(sql, { types: ["c"], limit: 2 });
  await next();
  const gated = await enqueue(sql, "c", 1, { key: "k", order_key: "o" });
  await sql`select pause_tasks('c')`;
  await claim(sql, { types: ["c"] });
  await next();
  const pending = await enqueue(sql, "a", 2);
  await next();
  const waiting = await enqueue(sql, "d", 1, { depends_on: pending });
  return { completed, failed, cancelled, processing, gated, pending, waiting };
}

testTasks("tasks are found wherever they are, the newest first, on pages", async ({ sql }) => {
  const is = await everywhere(sql);
  const newestFirst = [
    ...is.waiting,
    ...is.pending.toReversed(),
    ...is.gated,
    ...is.processing.toReversed(),
    ...is.cancelled,
    ...is.failed.toReversed(),
    ...is.completed.toReversed(),
  ];
  for (const limit of [1, 2, 5, 50]) {
    assert.deepEqual(await findAll(sql, {}, limit), newestFirst, `${limit} a page`);
  }
  assert.deepEqual(ids(await find(sql, { statuses: ["completed"] })), is.completed.toReversed());
  assert.deepEqual(ids(await find(sql, { statuses: ["failed", "cancelled"] })), [
    ...is.cancelled,
    ...is.failed.toReversed(),
  ]);
  assert.deepEqual(ids(await find(sql, { types: ["a"] })), [
    ...is.pending.toReversed(),
    ...is.completed.toReversed(),
  ]);
  assert.deepEqual(ids(await find(sql, { key: "k" })), is.gated);
  assert.deepEqual(ids(await find(sql, { error: "5%" })), is.failed.toReversed());
  const some = [is.completed[1], is.failed[0], is.processing[1], is.gated[0], is.waiting[0]];
  assert.deepEqual((await findAll(sql, { ids: some }, 2)).toSorted(), some.toSorted());
  assert.deepEqual(ids(await find(sql, { ids: some, statuses: ["failed"] })), [is.failed[0]]);
});

testTasks("what is found says what public.tasks says", async ({ sql }) => {
  await everywhere(sql);
  const columns = `id, type, status, key, order_key, priority, attempts, max_attempts, created_at,
    run_at, started_at, completed_at, worker_id, error`;
  const found = await sql.unsafe(`select ${columns} from find_tasks() order by id`);
  const tasks = await sql.unsafe(
    `select ${columns.replace("max_attempts", "max_attempts::int")} from tasks order by id`,
  );
  assert.deepEqual([...found], [...tasks]);
});

testTasks("several types in one lease are told apart", async ({ sql }) => {
  await enqueue(sql, "a", 2);
  const b = await enqueue(sql, "b", 2);
  const held = await claim(sql, { limit: 4 });
  assert.deepEqual(ids(await find(sql, { types: ["b"] })).toSorted(), b);
  await sql`select settle_lease(${held[0].fence}, p_rest => 'succeeded')`;
  assert.deepEqual((await findAll(sql, { types: ["b"] }, 1)).toSorted(), b);
});

testTasks("what is wrong in a search is refused by name", async ({ sql }) => {
  await assertRefused(find(sql, { status: "failed" }), "PT400", /^p_filter\.status /);
  await assertRefused(find(sql, { statuses: ["done"] }), "PT400", /^p_filter\.statuses /);
  await assertRefused(find(sql, {}, 0), "PT400", /^p_limit/);
  await assertRefused(find(sql, {}, 50, "7"), "PT400", /^p_before/);
});

Deno.test("a search that no index helps goes on where the call before stopped", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  const [{ first }] = await sql`
    with n as materialized (
      select nextval('dibs.task_number') as task, n from generate_series(1, 12000) n
    ), logged as (
      insert into dibs.log (id, type, run_at, payload)
      select dibs.id_of(task, hashint8extended(task, seed)), 'a', now(), jsonb_build_object('n', n)
      from n, dibs.id_seed
    ), ended as (
      insert into dibs.outcome (run, completed_at, status, type)
      select int8multirange(int8range(task, task + 1)), now() + n * interval '1 s', 'completed', 'a' from n
    )
    select dibs.id_of(min(task), hashint8extended(min(task), (select seed from dibs.id_seed))) as first from n`;
  const page = await find(sql, { payload: { n: 1 } });
  assert.deepEqual([page.length, page[0].id, page[0].type], [1, null, null]);
  assert.match(page[0].cursor, /^\d+-\d+-0$/);
  assert.deepEqual(await findAll(sql, { payload: { n: 1 } }, 50), [first]);
});

testTasks("a timeline tells a life in order", async ({ sql }) => {
  const clock = await testClock(sql, { stopped: true });
  const [id] = await enqueue(sql, "a", 1, { max_attempts: 2, key: "k" });
  await clock.advance("1 s");
  const [one] = await claim(sql, { worker: "first" });
  await clock.advance("1 s");
  await settle(sql, one.fence, [{ id, status: "failed", error: "no" }]);
  await clock.advance("1 h");
  const [two] = await claim(sql, { worker: "second" });
  await clock.advance("1 s");
  await sql`select effect_begin(${two.fence}, ${id}, 'mail')`;
  await settle(sql, two.fence, [{ id, status: "failed", error: "again" }]);
  await clock.advance("1 s");
  await sql`select retry_tasks(array[${id}]::uuid[])`;
  await clock.advance("1 s");
  const [three] = await claim(sql, { worker: "third" });
  const [running] = (await sql`select * from task_timeline(${id})`).toReversed();
  assert.equal(running.event, "claimed");
  assert.equal(running.detail.fence, three.fence);
  await clock.advance("1 s");
  await sql`select settle_lease(${three.fence}, p_rest => 'succeeded')`;
  const rows = await sql`select * from task_timeline(${id})`;
  assert.deepEqual(rows.map(({ event, worker_id, attempt }) => [event, worker_id, attempt]), [
    ["enqueued", null, null],
    ["due", null, null],
    ["claimed", "first", 1],
    ["failed", "first", 1],
    ["claimed", "second", 2],
    ["effect", null, null],
    ["failed", "second", 2],
    ["retried", null, null],
    ["claimed", "third", 4],
    ["completed", "third", 4],
  ]);
  assert.deepEqual(rows[0].detail, { type: "a", key: "k", priority: 0, max_attempts: 2 });
  assert.deepEqual(rows[3].detail, { error: "no" });
  // It is noted by another clock when a task was enqueued.
  const moments = rows.slice(1).map(({ at }) => +at);
  assert.deepEqual(moments, moments.toSorted((a, b) => a - b));
  assert.deepEqual([...await sql`select * from task_timeline(gen_random_uuid())`], []);
});

testTasks("what is still to come is in a timeline, too", async ({ sql }) => {
  const runAt = new Date(Date.now() + 3600_000).toISOString();
  const [id] = await enqueue(sql, "a", 1, { run_at: runAt });
  const due = await sql`select at from task_timeline(${id}) where event = 'due'`;
  assert.deepEqual(due.map(({ at }) => at.toISOString()), [runAt]);
  await sql`select cancel_tasks(array[${id}]::uuid[])`;
  const events = await sql`select event from task_timeline(${id})`;
  assert.deepEqual(events.map(({ event }) => event), ["enqueued", "cancelled", "due"]);
});
