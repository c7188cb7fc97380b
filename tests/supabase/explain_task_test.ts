import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { claim, enqueue, settle, testTasks } from "../support/tasks.ts";

const UNKNOWN = "00000000-0000-4000-8000-000000000000";

testTasks("an id that no task has is unknown", async ({ sql }) => {
  const why = await explain(sql, UNKNOWN);
  assert.deepEqual([why.state, why.reason], ["unknown", "unknown"]);
  assert.match(why.what_would_change_it, /^Nothing/);
  assert.equal((await explain(sql, null)).reason, "unknown");
});

testTasks("a task that is worked on is leased, by whom and until when", async ({ sql }) => {
  const clock = await testClock(sql);
  const [task] = await enqueue(sql, "mail");
  const [{ lease_expires_at }] = await claim(sql, { worker: "anna", seconds: 60 });
  const held = await explain(sql, task);
  assert.deepEqual([held.state, held.reason], ["processing", "leased"]);
  assert.deepEqual(held.until, lease_expires_at);
  assert.equal(held.detail.worker_id, "anna");
  await clock.advance("61 s");
  assert.equal((await explain(sql, task)).reason, "lease_expired");
  await sql`select reap_tasks()`;
  assert.equal((await explain(sql, task)).state, "pending");
});

testTasks(
  "what failed waits for its next attempt, then is failed, then runs again",
  async ({ sql }) => {
    const clock = await testClock(sql);
    const [task] = await enqueue(sql, "mail", 1, { max_attempts: 2 });
    const fail = async () => {
      const [{ fence, id }] = await claim(sql);
      await settle(sql, fence, [{ id, status: "failed", error: "no such address" }]);
    };
    await fail();
    const waits = await explain(sql, task);
    assert.deepEqual([waits.state, waits.reason], ["pending", "backoff"]);
    assert.equal(waits.detail.error, "no such address");
    assert.ok(waits.until! > new Date());
    assert.match(waits.what_would_change_it, new RegExp(`run_at = now\\(\\) where id = '${task}'`));
    await sql.unsafe(waits.what_would_change_it.slice("Time; or ".length, -1));
    await clock.advance("1 s");
    await fail();
    const failed = await explain(sql, task);
    assert.deepEqual([failed.state, failed.reason], ["failed", "failed"]);
    assert.deepEqual([failed.detail.attempts, failed.detail.error], [2, "no such address"]);
    assert.match(failed.what_would_change_it, /retry_tasks/);
    await sql`select retry_tasks(${[task]})`;
    assert.equal((await explain(sql, task)).state, "pending");
  },
);

testTasks("what was enqueued for later is not due", async ({ sql }) => {
  const clock = await testClock(sql);
  const [task] = await enqueue(sql, "mail", 1, { run_at: "2100-01-01T00:00:00Z" });
  const why = await explain(sql, task);
  assert.deepEqual([why.state, why.reason], ["pending", "not_due"]);
  assert.deepEqual(why.until, new Date("2100-01-01T00:00:00Z"));
  await clock.advance("80 years");
  assert.notEqual((await explain(sql, task)).reason, "not_due");
});

testTasks("what is done or cancelled says so", async ({ sql }) => {
  const [done, cancelled] = await enqueue(sql, "mail", 2);
  const [{ fence }] = await claim(sql, { worker: "anna" });
  await settle(sql, fence, [], "succeeded");
  await sql`select cancel_tasks(${[cancelled]})`;
  const why = await explain(sql, done);
  assert.deepEqual([why.state, why.reason, why.detail.worker_id], [
    "completed",
    "completed",
    "anna",
  ]);
  assert.equal((await explain(sql, cancelled)).reason, "cancelled");
});

testTasks("a due task is next, behind others, or nobody asks for its type", async ({ sql }) => {
  const clock = await testClock(sql);
  const [first, ...others] = await enqueue(sql, "mail", 200);
  assert.equal((await explain(sql, first)).reason, "next");
  await clock.advance("10 minutes");
  const forgotten = await explain(sql, first);
  assert.deepEqual([forgotten.state, forgotten.reason], ["pending", "nobody_asked"]);
  assert.equal(forgotten.detail.last_grant_at, null);
  assert.match(forgotten.what_would_change_it, /the type mail.* for 10 minutes/);

  // A worker at other types is none for it.
  await enqueue(sql, "other");
  const [other] = await claim(sql, { types: ["other"] });
  assert.equal((await explain(sql, first)).reason, "nobody_asked");
  await settle(sql, other.fence, [], "succeeded");
  assert.equal((await explain(sql, first)).reason, "nobody_asked");

  const [{ fence }] = await claim(sql, { types: ["mail"], limit: 10 });
  const last = await explain(sql, others.at(-1)!);
  assert.equal(last.reason, "behind_others");
  assert.ok(last.detail.ahead as number >= 90, `${last.detail.ahead}`);
  assert.equal((await explain(sql, others[9])).reason, "next");
  await settle(sql, fence, [], "succeeded");
  assert.equal((await explain(sql, others[9])).reason, "next");
});

testTasks("a grant of several types counts for each of them", async ({ sql }) => {
  const clock = await testClock(sql);
  await enqueue(sql, "a", 2);
  await clock.advance("1 s");
  await enqueue(sql, "b", 2);
  await clock.advance("10 minutes");
  const [{ fence }] = await claim(sql, { limit: 3 });
  const [{ id }] = await sql`select id from tasks where status = 'pending'`;
  assert.equal((await explain(sql, id)).reason, "next");
  await settle(sql, fence, [], "succeeded");
  assert.equal((await explain(sql, id)).reason, "next");
});

interface Explanation {
  state: string;
  reason: string;
  detail: Record<string, unknown>;
  until: Date | null;
  what_would_change_it: string;
}

async function explain(sql: Sql, id: string | null): Promise<Explanation> {
  const rows = await sql<Explanation[]>`select * from explain_task(${id})`;
  assert.equal(rows.length, 1);
  return rows[0];
}
