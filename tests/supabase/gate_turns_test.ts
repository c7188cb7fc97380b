import assert from "node:assert/strict";
import type { Sql } from "postgres";
import type { TestDatabase } from "../support/database.ts";
import { claim, enqueue, ids, testTasks } from "../support/tasks.ts";

/** Enqueues a task for each of a thousand keys or order keys, whose names come before "z". */
async function enqueueThousand(sql: Sql, field: "key" | "order_key"): Promise<void> {
  await sql`
    select count(*) from enqueue_tasks((
      select jsonb_agg(jsonb_build_object('type', 'a', ${field}::text, to_char(n, 'FM0000')))
      from generate_series(1, 1000) n))`;
}

testTasks(
  "a claim looks at a thousand closed keys, and the next one goes on from there",
  async ({ sql }) => {
    await enqueueThousand(sql, "key");
    const [open] = await enqueue(sql, "a", 1, { key: "z" });
    await sql`
    insert into dibs.gate (type, scope, key, paused_at)
    select 'a', 'key', to_char(n, 'FM0000'), now() from generate_series(1, 1000) n`;
    assert.deepEqual(ids(await claim(sql)), []);
    assert.deepEqual(ids(await claim(sql)), [open]);
  },
);

testTasks(
  "a claim looks at a thousand order keys of which one runs, and the next one goes on from there",
  async ({ sql }) => {
    await enqueueThousand(sql, "order_key");
    await enqueueThousand(sql, "order_key");
    assert.equal((await claim(sql, { limit: 1000 })).length, 1000);
    const [open] = await enqueue(sql, "a", 1, { order_key: "z" });
    await sql`delete from dibs.turn`;
    assert.deepEqual(ids(await claim(sql)), []);
    assert.deepEqual(ids(await claim(sql)), [open]);
  },
);

testTasks(
  "of tasks with an order key and tasks without, the older ones go first",
  async ({ sql }) => {
    await sql`select set_task_limit('a', 100)`;
    const [oldest] = await enqueue(sql, "a", 1);
    const [older] = await enqueue(sql, "a", 1, { order_key: "x" });
    const [old] = await enqueue(sql, "a", 1);
    const [last] = await enqueue(sql, "a", 1, { order_key: "y" });
    const turns = [];
    for (let n = 0; n < 4; n++) turns.push(...ids(await claim(sql)));
    assert.deepEqual(turns, [oldest, older, old, last]);
  },
);

testTasks("claims at the same time begin with a key each", async (db) => {
  const ofX = await enqueue(db.sql, "a", 5, { key: "x" });
  const ofY = await enqueue(db.sql, "a", 5, { key: "y" });
  assert.deepEqual(await claimAtOnce(db), [[ofX[0]], [ofY[0]]]);
});

testTasks(
  "what another claim is at leaves nobody with nothing while other keys have work",
  async (db) => {
    await db.sql`select set_task_limit('a', 1, 'x')`;
    const [urgent] = await enqueue(db.sql, "a", 1, { key: "x", priority: -1 });
    await enqueue(db.sql, "a", 1, { key: "x" });
    const [other] = await enqueue(db.sql, "a", 1, { key: "y" });
    assert.deepEqual(await claimAtOnce(db), [[urgent], [other]]);
  },
);

/** The second while the first is not committed. */
async function claimAtOnce(db: TestDatabase): Promise<string[][]> {
  const [a, b] = [db.connect(), db.connect()];
  await a`begin`;
  const first = await claim(a);
  const second = await claim(b);
  await a`commit`;
  return [first, second].map(ids);
}
