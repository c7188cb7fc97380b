import assert from "node:assert/strict";
import { freshDatabase } from "../support/database.ts";
import { assertRefused, claim, enqueue, testTasks } from "../support/tasks.ts";

testTasks(
  "workers tells who holds what, the first lease to end first",
  async ({ sql }) => {
    await sql`insert into thoughts (content) select 'thought ' || n from generate_series(1, 3) n`;
    await sql`create table documents (id bigint primary key)`;
    await sql`insert into documents select generate_series(1, 5)`;
    await sql`select dibs.create_claim_source('documents', 'public.documents')`;
    assert.deepEqual([...await sql`select * from workers()`], []);
    await enqueue(sql, "mail", 3);
    await enqueue(sql, "import", 1);
    await sql`select * from claim_tasks('both', null, 9, 600)`;
    await sql`select * from claim_next_thoughts('enrichment', 'both', 1, 900)`;
    await sql`select * from claim_next_thoughts('embedding', 'rows', 2, 60)`;
    await sql`select * from claim_next_rows('documents', 'embedding', 'rows', 5, 900)`;
    await sql`select * from claim_thoughts(array(select id from thoughts), 'done', 'nobody')`;
    await sql`select release_thought(id, 'done', 'nobody', 'succeeded') from thoughts`;
    const rows = await sql`
      select *, since <= now() and lease_expires_at > now() as lives from workers()`;
    assert.deepEqual(
      rows.map((row) => [row.worker_id, row.tasks, row.rows, row.works_on, row.lives]),
      [
        ["rows", "0", "7", ["documents:embedding", "thoughts:embedding"], true],
        ["both", "4", "1", ["import", "mail", "thoughts:enrichment"], true],
      ],
    );
  },
);

Deno.test("dispatches are told newest first, with their fate", async () => {
  await using db = await freshDatabase();
  await enqueue(db.sql, "mail");
  await db.sql`delete from dibs.dispatch where true`;
  const [{ first }] = await db.sql`select dibs.call_dispatch('tick')::text as first`;
  const [{ second }] = await db.sql`select dibs.call_dispatch('wake')::text as second`;
  await db.sql`select plan_dispatch(${second}, '{mail}')`;
  const rows = await db.as("service_role")`select * from dispatches()`;
  assert.deepEqual(
    rows.map(({ id, reason, state, types, drains }) => [id, reason, state, types, drains]),
    [[second, "wake", rows[0].state, ["mail"], 1], [first, "tick", rows[1].state, null, null]],
  );
  assert.ok(rows[0].planned_at instanceof Date && rows[1].planned_at === null);
  assert.equal((await db.sql`select * from dispatches(1)`).length, 1);
  await assertRefused(db.sql`select dispatches(0)`, "PT400", /^p_limit/);
});

testTasks("a worker that lost everything is not known any more", async ({ sql }) => {
  await enqueue(sql, "a");
  await claim(sql);
  await sql`select release_tasks_for_worker(worker_id) from workers()`;
  assert.deepEqual([...await sql`select * from workers()`], []);
});
