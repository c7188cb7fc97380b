import assert from "node:assert/strict";
import { Status } from "../../functions/_shared/schemas.ts";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { claim, enqueue } from "../support/tasks.ts";

Deno.test("status of a project that did nothing yet is all zero, and of the documented shape", async () => {
  await using db = await freshDatabase();
  const [{ status }] = await db.sql`select dibs_status() as status`;
  Status.parse(status);
  assert.equal(status.oldest_due_seconds, null);
  assert.deepEqual([status.thoughts, status.workers, status.dispatches], [[], [], []]);
  assert.deepEqual(status.expired, { tasks: 0, thoughts: 0 });
});

Deno.test("status tells who holds what, what waits how long, and what nobody took back yet", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  await db.sql`insert into public.thoughts (content) values ('one'), ('two'), ('three')`;
  await enqueue(db.sql, "mail", 5);
  await claim(db.sql, { worker: "a", limit: 2, seconds: 60 });
  await db.sql`select claim_next_thoughts('enrichment', 'a', 1, 60)`;
  await db.sql`select claim_next_thoughts('enrichment', 'b', 1, 600)`;
  await clock.advance("90 s");

  const [{ status }] = await db.as("service_role")`select dibs_status() as status`;
  Status.parse(status);
  assert.deepEqual([status.tasks.pending, status.tasks.processing], [3, 2]);
  assert(status.oldest_due_seconds >= 90 && status.oldest_due_seconds < 120);
  assert.deepEqual(status.thoughts, [
    { work_type: "enrichment", claimed: 2, succeeded: 0, failed: 0, counted_at: null },
  ]);
  assert.deepEqual(
    status.workers.map((w: Record<string, unknown>) => [w.worker_id, w.tasks, w.thoughts]),
    [["a", 2, 1], ["b", 0, 1]],
  );
  assert.deepEqual(status.expired, { tasks: 2, thoughts: 1 });
  assert.deepEqual(status.schedule, { cron: true, net: true });
});

Deno.test("status shows the last ten dispatches, newest first, their ids as text", async () => {
  await using db = await freshDatabase();
  await db.sql`select plan_dispatch() from generate_series(1, 12)`;
  const [{ status }] = await db.sql`select dibs_status() as status`;
  Status.parse(status);
  assert.deepEqual(
    status.dispatches.map(({ id }: { id: string }) => id),
    ["12", "11", "10", "9", "8", "7", "6", "5", "4", "3"],
  );
});
