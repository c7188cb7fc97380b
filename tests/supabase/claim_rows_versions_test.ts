// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { startBlocked } from "../support/locks.ts";
import { claimNextRows, claimRows, rowIds, settleRows, words } from "../support/sources.ts";

const VERSIONED = ", p_version => 'version'";

Deno.test("a row that is edited after it was done can be claimed again, with its attempts anew", async () => {
  await using db = await freshDatabase();
  const service = await words(db, 3, VERSIONED);
  const granted = await claimNextRows(service, "words", 3);
  assert.deepEqual(granted.map(({ version }) => version), ["1", "1", "1"]);
  await settleRows(
    service,
    granted[0].fence,
    [{ id: "3", status: "failed", permanent: true }],
    "succeeded",
  );
  assert.deepEqual(await claimNextRows(service, "words", 9), []);
  assert.deepEqual(await claimRows(service, "words", ["1", "2", "3"]), []);

  await db.sql`update words set version = 2 where id in (1, 3)`;
  assert.deepEqual([...await service`select id from failed_rows('words', 'index')`], []);
  const [named] = await claimRows(service, "words", ["1", "2"]);
  assert.deepEqual([named.id, named.version, named.attempt], ["1", "2", 1]);
  const [next, ...more] = await claimNextRows(service, "words", 9);
  assert.deepEqual([next.id, next.version, next.attempt, more], ["3", "2", 1, []]);
  const [{ status }] = await db.sql`select status from words_work_claims where row_id = 2`;
  assert.equal(status, "succeeded");
});

Deno.test("a result about old content is refused as superseded, and the row is free at once", async () => {
  await using db = await freshDatabase();
  const service = await words(db, 4, VERSIONED);
  const [{ fence }] = await claimNextRows(service, "words", 4);
  await db.sql`update words set version = 2 where id in (1, 2, 3)`;
  // Whoever edits does not free what is being worked on.
  assert.deepEqual(await claimRows(service, "words", ["1"]), []);
  assert.deepEqual(
    await settleRows(service, fence, [
      { id: "1", status: "succeeded" },
      { id: "2", status: "failed", error: "about old content" },
      { id: "3", status: "released" },
      { id: "4", status: "succeeded" },
    ]),
    { settled: 2, lost: [], superseded: ["1", "2"] },
  );
  const again = await claimNextRows(service, "words", 9);
  assert.deepEqual(rowIds(again), ["1", "2", "3"]);
  assert.deepEqual(
    again.map(({ version, attempt }) => [version, attempt]),
    Array(3).fill(["2", 1]),
  );
});

Deno.test("the rest of a lease is superseded like what is named, also with the next claim", async () => {
  await using db = await freshDatabase();
  const service = await words(db, 3, VERSIONED);
  const [{ fence }] = await claimNextRows(service, "words", 2);
  await db.sql`update words set version = 2 where id = (select min(row_id) from words_work_claims)`;
  const [{ answer }] = await service`
    select settle_and_claim_rows(${fence}, '[]', 'succeeded', 'index', 'worker', 9) as answer`;
  assert.deepEqual([answer.settled, answer.superseded.length], [1, 1]);
  assert.equal(answer.rows.length, 2);
});

Deno.test("attempts about another version do not count", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const service = await words(db, 2, VERSIONED);
  for (const attempt of [1, 2]) {
    const granted = await claimRows(service, "words", ["1", "2"], { seconds: 1, maxAttempts: 3 });
    assert.deepEqual(granted.map((row) => row.attempt), [attempt, attempt]);
    await clock.advance("1 s");
  }
  await db.sql`update words set version = 2 where id = 1`;
  const granted = await claimRows(service, "words", ["1", "2"], { seconds: 1, maxAttempts: 3 });
  assert.deepEqual(granted.map((row) => row.attempt), [1, 3]);
});

Deno.test("an edit that is committed after the result makes the row claimable again", async () => {
  await using db = await freshDatabase();
  const service = await words(db, 1, VERSIONED);
  const editor = db.connect();
  const [{ fence }] = await claimNextRows(service, "words", 1);
  await editor`begin`;
  await editor`update words set version = 2`;
  assert.deepEqual(
    await settleRows(service, fence, [{ id: "1", status: "succeeded" }]),
    { settled: 1, lost: [], superseded: [] },
  );
  assert.deepEqual(await claimRows(service, "words", ["1"]), []);
  await editor`commit`;
  const [again] = await claimRows(service, "words", ["1"]);
  assert.deepEqual([again.version, again.attempt], ["2", 1]);
});

Deno.test("a claim does not wait for whoever edits the row, nor for whoever clears its claim", async () => {
  await using db = await freshDatabase();
  const service = await words(db, 2, VERSIONED);
  const other = db.connect();
  const [{ fence }] = await claimRows(service, "words", ["1"]);
  await settleRows(service, fence, [], "succeeded");
  await db.sql`update words set version = 2 where id = 1`;

  await other`begin`;
  await other`update words set word = 'edited'`;
  await other`select from words_work_claims where row_id = 1 for update`;
  await service`begin`;
  await service`set local lock_timeout = '1ms'`;
  assert.deepEqual(rowIds(await claimRows(service, "words", ["1", "2"])), ["2"]);
  await service`commit`;
  await other`commit`;
  assert.deepEqual(rowIds(await claimRows(service, "words", ["1", "2"])), ["1"]);
});

Deno.test("two who claim the same edited row at once get it once", async () => {
  await using db = await freshDatabase();
  const service = await words(db, 1, VERSIONED);
  const other = db.as("service_role");
  const [{ fence }] = await claimRows(service, "words", ["1"]);
  await settleRows(service, fence, [], "succeeded");
  await db.sql`update words set version = 2`;
  await service`begin`;
  assert.equal((await claimRows(service, "words", ["1"])).length, 1);
  assert.deepEqual(await claimRows(other, "words", ["1"]), []);
  assert.deepEqual(await claimNextRows(other, "words", 1), []);
  await service`commit`;
  assert.deepEqual(await claimRows(other, "words", ["1"]), []);
  const [{ version }] = await db.sql`select version from words_work_claims`;
  assert.equal(version, 2);
});

Deno.test("a settlement and a reaper that meet: one of them has the row", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const service = await words(db, 1, VERSIONED);
  const reaper = db.connect();
  const [{ fence }] = await claimRows(service, "words", ["1"], { seconds: 1 });
  await clock.advance("1 s");
  await reaper`begin`;
  const [{ reaped }] = await reaper`select dibs.reap_sources() as reaped`;
  assert.equal(reaped, 1);
  const { done } = await startBlocked(
    db.sql,
    service,
    (sql) => settleRows(sql, fence, [{ id: "1", status: "succeeded" }]),
  );
  await reaper`commit`;
  assert.deepEqual(await done, { settled: 0, lost: ["1"], superseded: [] });
});
