import assert from "node:assert/strict";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { assertRefused } from "../support/tasks.ts";
import {
  claim,
  claimNamed,
  claimNext,
  idsOf,
  makeThoughts,
  settle,
  WORK,
} from "../support/thoughts.ts";

Deno.test("no more thoughts are claimed at once for a kind of work than its limit, whoever claims how", async () => {
  await using db = await freshDatabase();
  const made = await makeThoughts(db.sql, 9);
  const before = await claim(db.sql, made.slice(0, 2));
  await db.sql`select set_claim_limit('thoughts', ${WORK}, 3)`;
  assert.equal((await claimNamed(db.sql, made.slice(2))).length, 1);
  assert.deepEqual(await claimNext(db.sql, 5), []);
  assert.deepEqual(await claim(db.sql, made), []);
  assert.equal((await claimNext(db.sql, 2, { workType: "other" })).length, 2);
  await db.sql`select release_thought(${before[0]}, ${WORK}, 'worker', 'succeeded')`;
  const [granted] = await claimNext(db.sql, 5);
  const [{ answer }] = await db.sql`
    select settle_and_claim_thoughts(${granted.fence}, '[]', 'succeeded', ${WORK}, 'worker', 5) as answer`;
  assert.equal(answer.thoughts.length, 1);
  assert.deepEqual([...await db.sql`select * from claim_gates()`], [
    {
      source: "thoughts",
      work_type: WORK,
      scope: "work type",
      key: null,
      max_running: 3,
      rate: null,
      period: null,
      burst: null,
      paused_at: null,
      running: "3",
      retry_after_seconds: null,
    },
  ]);
  const [{ removed }] = await db.sql`select remove_claim_limit('thoughts', ${WORK}) as removed`;
  assert.equal(removed, true);
  assert.equal(idsOf(await claimNext(db.sql, 9)).length, 4);
});

Deno.test("no more thoughts are claimed in a time than a rate lets through, whoever claims how", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql, { stopped: true });
  const made = await makeThoughts(db.sql, 9);
  await db.sql`select set_claim_rate('thoughts', ${WORK}, 2, '1 minute', 3)`;
  assert.equal((await claimNamed(db.sql, made.slice(0, 2))).length, 2);
  assert.equal((await claimNext(db.sql, 5)).length, 1, "the burst is used up");
  assert.deepEqual(await claim(db.sql, made), []);
  assert.equal((await claimNext(db.sql, 2, { workType: "other" })).length, 2);
  const [gate] = await db.sql`select rate, burst, retry_after_seconds from claim_gates()`;
  assert.deepEqual(gate, { rate: 2, burst: 3, retry_after_seconds: 30 });
  const [why] = await db.sql`select reason, until from explain_claim('thoughts', ${
    made[8]
  }, ${WORK})`;
  assert.equal(why.reason, "rate");
  await clock.advance("30 s");
  assert.equal((await claimNext(db.sql, 5)).length, 1, "what came by");
  await clock.advance("1 hour");
  assert.equal((await claimNext(db.sql, 9)).length, 3, "never more than the burst");
  for (const removed of [true, false]) {
    assert.deepEqual([...await db.sql`select remove_claim_rate('thoughts', ${WORK}) as removed`], [{
      removed,
    }]);
  }
});

Deno.test("claims at once spend no token twice", async () => {
  await using db = await freshDatabase();
  await makeThoughts(db.sql, 9);
  await db.sql`select set_claim_rate('thoughts', ${WORK}, 1, '1 hour', 4)`;
  const [a, b] = [db.connect(), db.connect()];
  await a`begin`;
  const first = await claimNext(a, 3);
  const second = await claimNext(b, 3);
  await a`commit`;
  const third = await claimNext(b, 3);
  assert.deepEqual([first.length, second.length, third.length], [3, 0, 1]);
});

Deno.test("paused work on thoughts is not claimed, and what is claimed is counted down", async () => {
  await using db = await freshDatabase();
  await makeThoughts(db.sql, 3);
  const [granted] = await claimNext(db.sql, 1);
  const pause = async (workType: string | null) =>
    Number((await db.sql`select pause_claims('thoughts', ${workType}) as held`)[0].held);
  assert.equal(await pause(WORK), 1);
  assert.deepEqual(await claimNext(db.sql, 1), []);
  assert.equal((await claimNext(db.sql, 1, { workType: "other" })).length, 1);
  assert.equal(await pause(null), 2);
  assert.deepEqual(await claimNext(db.sql, 1, { workType: "other" }), []);
  await settle(db.sql, granted.fence, [], "succeeded");
  assert.equal(await pause(WORK), 0);
  for (const [workType, was] of [[null, true], [WORK, true], [WORK, false]]) {
    assert.deepEqual([...await db.sql`select resume_claims('thoughts', ${workType}) as was`], [{
      was,
    }]);
  }
  assert.equal((await claimNext(db.sql, 9)).length, 2);
});

Deno.test("dispatch starts no drain for work on thoughts that would not be let through", async () => {
  await using db = await freshDatabase();
  await makeThoughts(db.sql, 3);
  await db.sql`select dibs.configure('dispatch_work_types', ${`{${WORK}}`})`;
  const drains = async () =>
    (await db.sql`select dibs.drains_wanted('{}') as drains`)[0].drains.length;
  assert.equal(await drains(), 1);
  await db.sql`select pause_claims('thoughts', ${WORK})`;
  assert.equal(await drains(), 0);
});

Deno.test("bad gates of thoughts are refused", async () => {
  await using db = await freshDatabase();
  await assertRefused(
    db.sql`select set_claim_limit('thoughts', '', 1)`,
    "PT400",
    /p_work_type must not be empty/,
  );
  await assertRefused(
    db.sql`select set_claim_limit('thoughts', ${WORK}, 0)`,
    "PT400",
    /p_limit must be between/,
  );
  await assertRefused(
    db.sql`select set_claim_rate('thoughts', ${WORK}, 1, '0 s')`,
    "PT400",
    /p_period must be an interval/,
  );
  await assertRefused(
    db.sql`select pause_claims('thoughts', ' ')`,
    "PT400",
    /p_work_type must not be empty/,
  );
});
