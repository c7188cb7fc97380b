// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { eventually } from "../support/eventually.ts";
import { claim, enqueue, enqueueSingles, settle, testTasks } from "../support/tasks.ts";

const look = (sql: Sql) => sql`select dibs.take_look()`;

testTasks("counts are the same whether or not anybody looked", async ({ sql }) => {
  await assertCounted(sql, {});
  await enqueue(sql, "mail", 10);
  await enqueueSingles(sql, "mail", 3);
  await assertCounted(sql, { pending: 13 });
  await look(sql);
  await assertCounted(sql, { pending: 13 });
  const [{ fence }] = await claim(sql, { limit: 4 });
  await settle(sql, fence, [], "succeeded");
  await enqueue(sql, "other", 2);
  await claim(sql, { limit: 1 });
  await assertCounted(sql, { pending: 10, processing: 1, completed: 4 });
  for (let n = 0; n < 3; n++) await look(sql);
  await assertCounted(sql, { pending: 10, processing: 1, completed: 4 });
});

testTasks("what is committed late is counted once, and not before", async ({ sql, connect }) => {
  await enqueue(sql, "mail", 3);
  const [first, second] = [...await claim(sql), ...await claim(sql)];
  await look(sql);
  const late = connect();
  await late`begin`;
  await late`select * from settle_lease(${first.fence}, '[]', 'succeeded')`;
  await late`select create_task('late')`;
  await look(sql);
  await settle(sql, second.fence, [], "succeeded");
  await look(sql);
  await assertCounted(sql, { pending: 1, processing: 1, completed: 1 });
  await late`commit`;
  await assertCounted(sql, { pending: 2, completed: 2 });
  await look(sql);
  await assertCounted(sql, { pending: 2, completed: 2 });
});

testTasks("one that began hours ago is found wherever it wrote first", async (db) => {
  const { sql, connect } = db;
  const clock = await testClock(sql);
  await enqueue(sql, "mail", 2);
  const [first, second] = [...await claim(sql), ...await claim(sql)];
  await look(sql);
  const late = connect();
  await late`begin`;
  // In a subtransaction, which has a number of its own.
  await late`savepoint within`;
  await late`select * from settle_lease(${first.fence}, '[]', 'succeeded')`;
  await late`select create_task('late')`;
  await late`release within`;
  for (let n = 0; n < 5; n++) {
    await clock.advance("1 hour");
    await enqueue(sql, "mail");
    await look(sql);
  }
  await settle(sql, second.fence, [], "succeeded");
  await look(sql);
  await late`commit`;
  await assertCounted(sql, { pending: 6, completed: 2 });
  await look(sql);
  await assertCounted(sql, { pending: 6, completed: 2 });
  // Transactions in other databases of the cluster count, too.
  await eventually("older looks go", async () => {
    await clock.advance("1 minute");
    await look(sql);
    const [{ looks }] = await sql`select count(*)::int as looks from dibs.look`;
    return looks <= 3;
  });
});

testTasks("what is retried counts no more as ended", async ({ sql }) => {
  const tasks = await enqueue(sql, "mail", 6);
  await sql`select cancel_tasks(${tasks.slice(0, 3)})`;
  await sql`select retry_tasks(${tasks.slice(0, 1)})`;
  await assertCounted(sql, { pending: 4, cancelled: 2 });
  await look(sql);
  await sql`select retry_tasks(${tasks.slice(1, 2)})`;
  await assertCounted(sql, { pending: 5, cancelled: 1 });
  await sql`select cancel_tasks(${tasks})`;
  await sql`select retry_tasks(${tasks.slice(5, 6)})`;
  await assertCounted(sql, { pending: 1, cancelled: 5 });
  await look(sql);
  await assertCounted(sql, { pending: 1, cancelled: 5 });
});

testTasks("a look beside a retry or a prune takes nothing away twice", async (db) => {
  const { sql, connect } = db;
  for (const seen of [false, true]) {
    const tasks = await enqueue(sql, "mail", 4);
    await sql`select cancel_tasks(${tasks})`;
    if (seen) await look(sql);
    const other = connect();
    await other`begin`;
    await other`select retry_tasks(${tasks.slice(0, 2)})`;
    await other`select prune_tasks('0')`;
    await look(sql);
    await assertCounted(sql, { cancelled: 4 });
    await other`commit`;
    await assertCounted(sql, { pending: 2 });
    await look(sql);
    await assertCounted(sql, { pending: 2 });
    await sql`delete from tasks where true`;
    await assertCounted(sql, {});
    await look(sql);
    await assertCounted(sql, {});
  }
});

testTasks("what is pruned or deleted is counted no more", async ({ sql }) => {
  const tasks = await enqueue(sql, "mail", 300);
  await sql`select cancel_tasks(${tasks.slice(0, 200)})`;
  await look(sql);
  await sql`select cancel_tasks(${tasks.slice(200, 250)})`;
  await sql`delete from tasks where id = any (${tasks.slice(190, 210)})`;
  await sql`delete from tasks where id = any (${tasks.slice(290)})`;
  await assertCounted(sql, { pending: 40, cancelled: 230 });
  await sql`select prune_tasks('0')`;
  await assertCounted(sql, { pending: 40 });
  await look(sql);
  await assertCounted(sql, { pending: 40 });
  const [{ left }] = await sql`select count(*)::int as left from dibs.correction`;
  assert.equal(left, 0);
});

testTasks("tasks whose type is noted later stay counted once", async ({ sql }) => {
  await enqueue(sql, "a", 3);
  await enqueue(sql, "b", 3);
  const [{ fence }] = await claim(sql, { limit: 6 });
  await settle(sql, fence, [], "succeeded");
  await look(sql);
  await sql`select dibs.sort_ended()`;
  await assertCounted(sql, { completed: 6 });
  await look(sql);
  await assertCounted(sql, { completed: 6 });
});

testTasks("what is dated back by hand is counted all the same", async ({ sql }) => {
  const [one, two] = await enqueue(sql, "mail", 2);
  await look(sql);
  await sql`
    update tasks set status = 'completed', completed_at = now() - interval '40 days' where id = ${one}`;
  await assertCounted(sql, { pending: 1, completed: 1 });
  await look(sql);
  await assertCounted(sql, { pending: 1, completed: 1 });
  await sql`update tasks set status = 'completed' where id = ${two}`;
  await sql`update tasks set completed_at = now() - interval '40 days' where id = ${two}`;
  await assertCounted(sql, { completed: 2 });
  await look(sql);
  await sql`delete from tasks where completed_at < now() - interval '30 days'`;
  await assertCounted(sql, {});
  await look(sql);
  await assertCounted(sql, {});
});

testTasks(
  "a transaction that looks itself counts all that it did, before and after",
  async (db) => {
    const { sql } = db;
    await look(sql);
    const own = db.connect();
    await own`begin`;
    const tasks = await enqueue(own, "mail", 3);
    await own`select cancel_tasks(${tasks.slice(0, 1)})`;
    await look(own);
    await assertCounted(own, { pending: 2, cancelled: 1 });
    await own`select cancel_tasks(${tasks.slice(1, 2)})`;
    await enqueue(own, "mail", 2);
    await own`select retry_tasks(${tasks.slice(0, 1)})`;
    await look(own);
    await assertCounted(own, { pending: 4, cancelled: 1 });
    await own`commit`;
    await assertCounted(sql, { pending: 4, cancelled: 1 });
    await look(sql);
    await assertCounted(sql, { pending: 4, cancelled: 1 });
  },
);

testTasks("an older snapshot counts what it sees, whoever looked since", async (db) => {
  const { sql, connect } = db;
  await enqueue(sql, "mail", 3);
  await look(sql);
  const older = connect();
  await older`begin isolation level repeatable read`;
  await assertCounted(older, { pending: 3 });
  const tasks = await enqueue(sql, "mail", 2);
  await look(sql);
  await sql`select cancel_tasks(${tasks})`;
  await look(sql);
  await assertCounted(older, { pending: 3 });
  await assert.rejects(async () => await look(older), { code: "40001" });
  await older`rollback`;
  await assertCounted(sql, { pending: 3, cancelled: 2 });
});

testTasks("of two that look at once one does", async ({ sql, connect }) => {
  await enqueue(sql, "mail", 3);
  const other = connect();
  await other`begin`;
  await look(other);
  await look(sql);
  const looks = async () => (await sql`select count(*)::int as n from dibs.look`)[0].n;
  assert.equal(await looks(), 0);
  await other`commit`;
  assert.equal(await looks(), 1);
  await assertCounted(sql, { pending: 3 });
});

testTasks("after a restore into another cluster all are counted anew", async ({ sql }) => {
  await enqueue(sql, "mail", 3);
  await look(sql);
  await sql`update dibs.look set cluster = 1, enqueued = 99, snapshot = '900000000:900000000:' where true`;
  await assertCounted(sql, { pending: 3 });
  await look(sql);
  await enqueue(sql, "mail", 1);
  await assertCounted(sql, { pending: 4 });
  await look(sql);
  await assertCounted(sql, { pending: 4 });
});

/** Fails unless the counts are these, and those of what is there. */
async function assertCounted(sql: Sql, expected: Record<string, number>): Promise<void> {
  const counts = await sql`select status, tasks::int from task_counts() where tasks <> 0`;
  assert.deepEqual(
    Object.fromEntries(counts.map(({ status, tasks }) => [status, tasks])),
    expected,
  );
  const there = await sql`select status, count(*)::int as tasks from tasks group by status`;
  assert.deepEqual(Object.fromEntries(there.map(({ status, tasks }) => [status, tasks])), expected);
}
