import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { assertRefused } from "../support/tasks.ts";
import { claimNamed, makeThoughts, settle, WORK } from "../support/thoughts.ts";

const UNKNOWN = "00000000-0000-4000-8000-000000000000";

Deno.test("an id that no row has is unknown", async () => {
  await using db = await freshDatabase();
  const why = await explain(db.sql, UNKNOWN);
  assert.deepEqual([why.state, why.reason, why.detail.id], ["unknown", "unknown", UNKNOWN]);
});

Deno.test("a thought that is worked on is leased, by whom and until when", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const [thought] = await makeThoughts(db.sql, 1);
  const [{ lease_expires_at }] = await claimNamed(db.sql, [thought], { worker: "anna" });
  const held = await explain(db.sql, thought);
  assert.deepEqual([held.state, held.reason], ["claimed", "leased"]);
  assert.deepEqual([held.until, held.detail.worker_id], [lease_expires_at, "anna"]);
  assert.equal((await explain(db.sql, thought, "another")).state, "unclaimed");
  await clock.advance("61 s");
  assert.equal((await explain(db.sql, thought)).reason, "lease_expired");
});

Deno.test("a failed thought waits for its next attempt, then is quarantined, then free", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const [thought] = await makeThoughts(db.sql, 1);
  const fail = async (permanent = false) => {
    const [{ fence }] = await claimNamed(db.sql, [thought], { maxAttempts: 2 });
    await settle(db.sql, fence, [{ id: thought, status: "failed", error: "no text", permanent }]);
  };
  await fail();
  const waits = await explain(db.sql, thought);
  assert.deepEqual([waits.state, waits.reason], ["failed", "backoff"]);
  assert.deepEqual([waits.detail.error, waits.detail.attempts], ["no text", 1]);
  assert.ok(waits.until! > new Date());
  await clock.advance("1 hour");
  await fail();
  const quarantined = await explain(db.sql, thought);
  assert.deepEqual([quarantined.state, quarantined.reason], ["failed", "quarantined"]);
  assert.match(quarantined.what_would_change_it, /retry_failed_thoughts/);
  await db.sql`select retry_failed_thoughts(${WORK})`;
  assert.equal((await explain(db.sql, thought)).state, "unclaimed");
  await fail(true);
  assert.equal((await explain(db.sql, thought)).reason, "failed");
});

Deno.test("a thought that is done says since when", async () => {
  await using db = await freshDatabase();
  const [thought] = await makeThoughts(db.sql, 1);
  const [{ fence }] = await claimNamed(db.sql, [thought]);
  await settle(db.sql, fence, [], "succeeded");
  const why = await explain(db.sql, thought);
  assert.deepEqual([why.state, why.reason], ["succeeded", "done"]);
  assert.ok(why.detail.ended_at);
  await db.sql`delete from thought_work_claims where thought_id = ${thought}`;
  assert.equal((await explain(db.sql, thought)).state, "unclaimed");
});

Deno.test("a free thought is next, or nobody asks, or the search for free ones rests", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const [thought, other] = await makeThoughts(db.sql, 2);
  const never = await explain(db.sql, thought);
  assert.deepEqual([never.state, never.reason], ["unclaimed", "nobody_asked"]);
  assert.match(never.what_would_change_it, /enrichment.* none ever was given a row\.$/);
  await claimNamed(db.sql, [other]);
  assert.equal((await explain(db.sql, thought)).reason, "next");
  await clock.advance("10 minutes");
  const forgotten = await explain(db.sql, thought);
  assert.equal(forgotten.reason, "nobody_asked");
  assert.match(forgotten.what_would_change_it, /in the last 10 minutes\.$/);
  // As after a pass over millions.
  await db.sql`
    insert into dibs.thought_pass (work_type, began_at, debt) values (${WORK}, clock_timestamp(), '1 hour')`;
  const rests = await explain(db.sql, thought);
  assert.equal(rests.reason, "search_rests");
  assert.ok(rests.until! > new Date());
});

Deno.test("an unknown source, and what cannot be an id or a work type, are refused", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  await assertRefused(sql`select explain_claim('nowhere', ${UNKNOWN}, 'w')`, "PT400", /^p_source/);
  await assertRefused(sql`select explain_claim(null, ${UNKNOWN}, 'w')`, "PT400", /^p_source/);
  await assertRefused(sql`select explain_claim('thoughts', 'seven', 'w')`, "PT400", /^p_id/);
  await assertRefused(sql`select explain_claim('thoughts', null, 'w')`, "PT400", /^p_id/);
  await assertRefused(
    sql`select explain_claim('thoughts', ${UNKNOWN}, '')`,
    "PT400",
    /^p_work_type/,
  );
});

interface Explanation {
  state: string;
  reason: string;
  detail: Record<string, unknown>;
  until: Date | null;
  what_would_change_it: string;
}

async function explain(sql: Sql, id: string, workType = WORK): Promise<Explanation> {
  const rows = await sql<Explanation[]>`
    select * from explain_claim('thoughts', ${id}, ${workType})`;
  assert.equal(rows.length, 1);
  return rows[0];
}
