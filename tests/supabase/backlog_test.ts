import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase } from "../support/database.ts";
import { claim, enqueue, testTasks } from "../support/tasks.ts";

testTasks("the backlog is told by type, the longest first", async ({ sql }) => {
  assert.deepEqual(await backlog(sql), []);
  await enqueue(sql, "mail", 300);
  await enqueue(sql, "import", 2);
  const inAnHour = new Date(Date.now() + 3_600_000);
  await enqueue(sql, "import", 1, { run_at: inAnHour });
  const [parent] = await enqueue(sql, "later", 1, { run_at: inAnHour });
  await enqueue(sql, "after", 1, { depends_on: [parent] });
  await claim(sql, { types: ["mail"], limit: 50 });
  // A lease of several types.
  await claim(sql, { types: ["import", "later"] });
  assert.deepEqual(await backlog(sql), [
    ["mail", null, 250, 0, false, 50, true],
    ["import", null, 1, 1, false, 1, true],
    ["later", null, 0, 1, false, 0, null],
  ]);
});

testTasks("the backlog of a type is told by key, of those at gates too", async ({ sql }) => {
  await enqueue(sql, "mail", 200);
  await enqueue(sql, "mail", 30, { key: "acme" });
  await enqueue(sql, "mail", 20, { key: "globex", run_at: new Date(Date.now() + 3_600_000) });
  await enqueue(sql, "other", 5, { key: "acme" });
  const byKey = [
    ["mail", null, 200, 0, false, 0, true],
    ["mail", "acme", 30, 0, false, 0, true],
    ["mail", "globex", 0, 20, false, 0, null],
  ];
  assert.deepEqual(await backlog(sql, "mail"), byKey);
  assert.deepEqual(await backlog(sql), [
    ["mail", null, 230, 20, false, 0, true],
    ["other", null, 5, 0, false, 0, true],
  ]);
  await sql`select set_task_limit('mail', 10, 'acme')`;
  const claimed = (await claim(sql, { types: ["mail"], limit: 1000 })).length;
  assert.equal(claimed, 210);
  assert.deepEqual(await backlog(sql, "mail"), [
    ["mail", "acme", 20, 0, false, 10, true],
    ["mail", null, 0, 0, false, 200, null],
    ["mail", "globex", 0, 20, false, 0, null],
  ]);
  assert.deepEqual(await backlog(sql, "nothing"), []);
});

Deno.test("of a long backlog it says that there is more", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  await sql`select create_task('mail') from generate_series(1, 10050)`;
  const [[type, , due, , more]] = await backlog(sql);
  assert.deepEqual([type, due, more], ["mail", 10_001, true]);
  assert.deepEqual((await backlog(sql, "mail")).map(([, , due, , more]) => [due, more]), [
    [10_001, true],
  ]);
});

async function backlog(sql: Sql, type: string | null = null): Promise<unknown[][]> {
  const rows = await sql`
    select type, key, due::int, later::int, more, running::int, oldest_due_at <= now() as waits
    from task_backlog(${type})`;
  return rows.map((row) => Object.values(row));
}
