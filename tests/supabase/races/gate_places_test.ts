// A place of a limit that is taken between the moment a claim begins to look and the moment it gets there.
import assert from "node:assert/strict";
import { startBlocked } from "../../support/locks.ts";
import { freshDatabase } from "../../support/database.ts";
import { claim, enqueue } from "../../support/tasks.ts";

Deno.test("a place that was taken since a claim began to look for one is not free", async () => {
  await using db = await freshDatabase();
  const [a, b] = [db.connect(), db.connect()];
  await enqueue(db.sql, "a", 3, { key: "x" });
  await db.sql`select set_task_limit('a', 1, 'x')`;
  await a`begin`;
  assert.equal((await claim(a, { limit: 1 })).length, 1);
  // Now nobody can look whether a lease holds what a place says, before this has ended.
  await a`lock table dibs.lease in access exclusive mode`;
  const looking = await startBlocked(db.sql, b, (sql) =>
    sql`
    select cardinality(dibs.free_slots('a', 'x', '', 1, 1, '{}')) as free`);
  await a`commit`;
  const [{ free }] = await looking.done;
  assert.equal(free, 0);
});
