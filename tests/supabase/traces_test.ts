// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase } from "../support/database.ts";
import { assertRefused } from "../support/refused.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

Deno.test("a worker is told in which trace each of its tasks was enqueued, and of no others", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  const traced = await enqueue(sql, [{ type: "a" }, { type: "b", priority: -1 }], TRACE);
  const many = await enqueue(sql, Array(250).fill({ type: "a" }), OTHER);
  const untraced = await enqueue(sql, [{ type: "a" }, { type: "a" }]);
  const fence = await claim(sql);
  assert.deepEqual(
    await tracesOf(sql, fence),
    new Map([
      ...traced.map((id) => [id, TRACE] as const),
      ...many.map((id) => [id, OTHER] as const),
    ]),
  );
  assert.equal((await sql`select count(*)::int from dibs.trace`)[0].count, 1 + 3, "a row a page");
  assert.equal(untraced.length, 2);

  await sql`select settle_lease(${fence}, p_rest => 'released')`;
  assert.deepEqual(await tracesOf(sql, fence), new Map(), "the lease is over");
  const [some] = await sql`select fence, id from claim_tasks('w', array['b'])`;
  assert.deepEqual(await tracesOf(sql, some.fence), new Map([[some.id, TRACE]]));
});

Deno.test("a task that has its unique key already keeps its trace, and a repeat of a request makes none", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  const tasks = [{ type: "a", unique_key: "k" }, { type: "a" }];
  const [first, second] = await enqueue(sql, tasks, TRACE, "once");
  await enqueue(sql, tasks, OTHER, "once");
  const [again, third] = await enqueue(sql, tasks, OTHER);
  assert.equal(again, first);
  assert.deepEqual(
    await tracesOf(sql, await claim(sql)),
    new Map([[first, TRACE], [second, TRACE], [third, OTHER]]),
  );
});

Deno.test("what is no traceparent is refused, and then nothing was enqueued", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  const bad = [
    "",
    "00",
    TRACE.toUpperCase(),
    `${TRACE}-00`,
    TRACE.replace("00-", "01-"),
    TRACE.replace(/-[0-9a-f]{32}-/, `-${"0".repeat(32)}-`),
    TRACE.replace(/-[0-9a-f]{16}-/, `-${"0".repeat(16)}-`),
    `${TRACE}\n`,
  ];
  for (const traceparent of bad) {
    await assertRefused(
      () => enqueue(sql, [{ type: "a" }], traceparent),
      "p_traceparent must be",
    );
  }
  assert.equal((await sql`select count(*)::int from dibs.log`)[0].count, 0);
  await assertRefused(() => tracesOf(sql, "x"), "p_fence ");
});

Deno.test("a trace goes with the last of its tasks", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  await enqueue(sql, Array(10).fill({ type: "a" }), TRACE);
  const left = async () => (await sql`select count(*)::int from dibs.trace`)[0].count;
  const [{ fence }] = await sql`select fence from claim_tasks('w', p_limit => 4)`;
  await sql`select settle_lease(${fence}, p_rest => 'succeeded')`;
  await sql`select prune_tasks('0')`;
  assert.equal((await sql`select count(*)::int from dibs.log`)[0].count, 6);
  assert.equal(await left(), 1);
  await sql`select settle_lease(${await claim(sql)}, p_rest => 'succeeded')`;
  await sql`select prune_tasks('0')`;
  assert.equal(await left(), 0);
});

async function enqueue(sql: Sql, tasks: object[], traceparent?: string, requestId?: string) {
  const made = await sql`
    select id from enqueue_tasks(${sql.json(tasks as never)}, ${requestId ?? null}, ${
    traceparent ?? null
  })`;
  return made.map(({ id }) => id as string);
}

async function claim(sql: Sql): Promise<string> {
  const [{ fence }] = await sql`select fence from claim_tasks('w', p_limit => 1000)`;
  return fence;
}

async function tracesOf(sql: Sql, fence: string): Promise<Map<string, string>> {
  const rows = await sql`select id, traceparent from task_traces(${fence})`;
  return new Map(rows.map(({ id, traceparent }) => [id, traceparent]));
}
