// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { letters, tenantsOf } from "../support/letters_of_tenants.ts";
import { claimNextRows, claimRows, settleRows } from "../support/sources.ts";
import { assertRefused } from "../support/tasks.ts";

for (
  const [how, claim] of Object.entries({
    "next": (sql: Sql, limit: number) => claimNextRows(sql, "letters", limit),
    "by their ids": async (sql: Sql, _limit: number) =>
      await claimRows(
        sql,
        "letters",
        (await sql`select id::text from letters`).map(({ id }) => id),
      ),
  })
) {
  Deno.test(`no more rows of a key are claimed at once than its limit, ${how}`, async () => {
    await using db = await freshDatabase();
    const service = await letters(db, "aaaabbbbc--");
    await db.sql`select set_claim_limit('letters', 'index', 2, p_each_key => true)`;
    await db.sql`select set_claim_limit('letters', 'index', 3, 'b')`;
    const granted = await claim(service, 100);
    assert.equal(tenantsOf(granted), "--aabbbc");
    assert.deepEqual(await claim(service, 100), []);
    const other = await claimNextRows(service, "letters", 100, { workType: "other" });
    assert.equal(other.length, 11);

    // A place that comes back is for its own key.
    const a = granted.find(({ row }) => row.tenant === "a")!;
    await settleRows(service, a.fence, [{ id: a.id, status: "succeeded" }]);
    assert.equal(tenantsOf(await claim(service, 100)), "a");
    const gates = await db.sql`select scope, key, max_running, running from claim_gates()`;
    assert.deepEqual([...gates], [
      { scope: "each key", key: null, max_running: 2, running: null },
      { scope: "key", key: "b", max_running: 3, running: "3" },
    ]);
    await db.sql`select remove_claim_limit('letters', 'index', p_each_key => true)`;
    assert.equal(tenantsOf(await claim(service, 100)), "a");
  });
}

Deno.test("a row has to pass the limit of its kind of work and that of its key", async () => {
  await using db = await freshDatabase();
  const service = await letters(db, "aaabbb");
  await db.sql`select set_claim_limit('letters', 'index', 3)`;
  await db.sql`select set_claim_limit('letters', 'index', 2, p_each_key => true)`;
  assert.match(tenantsOf(await claimNextRows(service, "letters", 9)), /^(aab|abb)$/);
  assert.deepEqual(await claimNextRows(service, "letters", 9), []);
});

Deno.test("a place comes back with its lease", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const service = await letters(db, "aa");
  await db.sql`select set_claim_limit('letters', 'index', 1, p_each_key => true)`;
  assert.equal((await claimNextRows(service, "letters", 9, { seconds: 60 })).length, 1);
  assert.equal((await claimNextRows(service, "letters", 9)).length, 0);
  await clock.advance("61 s");
  assert.equal((await claimNextRows(service, "letters", 9)).length, 1);
});

Deno.test("of two claims at once the second leaves a key to the first, and takes another", async () => {
  await using db = await freshDatabase();
  await letters(db, "aaabbb");
  await db.sql`select set_claim_limit('letters', 'index', 1, p_each_key => true)`;
  const [a, b] = [db.connect(), db.connect()];
  // So that the pool is filled: while the first searches for all, the second would only look around.
  const [{ fence }] = await claimNextRows(a, "letters", 1);
  await settleRows(a, fence, [], "released");
  await a`begin`;
  const first = await claimNextRows(a, "letters", 1);
  const second = await claimNextRows(b, "letters", 2);
  assert.equal(tenantsOf([...first, ...second]), "ab");
  assert.deepEqual(await claimNextRows(b, "letters", 2), [], "before the first commits");
  await a`commit`;
  assert.deepEqual(await claimNextRows(b, "letters", 2), [], "and after");
});

Deno.test("claims of a key without a gate are in nobody's way", async () => {
  await using db = await freshDatabase();
  await letters(db, "aaaa");
  await db.sql`select set_claim_limit('letters', 'index', 1, p_key => 'b')`;
  const [a, b] = [db.connect(), db.connect()];
  await a`begin`;
  assert.equal((await claimRows(a, "letters", ["1"])).length, 1);
  assert.equal((await claimRows(b, "letters", ["2"])).length, 1);
  await a`commit`;
});

for (const level of ["read committed", "repeatable read", "serializable"]) {
  Deno.test(`${level}: whoever claims by what was before another claim does not pass a limit of its key`, async () => {
    await using db = await freshDatabase();
    await letters(db, "aaa");
    await db.sql`select set_claim_limit('letters', 'index', 1, p_each_key => true)`;
    const [a, b] = [db.connect(), db.connect()];
    await b.unsafe(`begin isolation level ${level}`);
    await b`select from letters`;
    assert.equal((await claimNextRows(a, "letters", 1)).length, 1);
    const late = await claimNextRows(b, "letters", 1).catch((error) => error.code);
    assert.ok(late === "40001" || late.length === 0, JSON.stringify(late));
    await b`rollback`;
  });
}

Deno.test("no more rows of a key are claimed in a time than its rate lets through", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql, { stopped: true });
  const service = await letters(db, "aaaaaabbb");
  await db.sql`select set_claim_rate('letters', 'index', 2, '1 minute', p_each_key => true)`;
  const granted = await claimNextRows(service, "letters", 9);
  assert.equal(tenantsOf(granted), "aabb");
  await settleRows(service, granted[0].fence, [], "succeeded");
  assert.deepEqual(await claimNextRows(service, "letters", 9), []);
  const [why] = await db.sql`
    select reason, detail ->> 'key' as key, until is not null as until from explain_claim('letters', '6', 'index')`;
  assert.deepEqual({ ...why }, { reason: "rate", key: "a", until: true });
  await clock.advance("30 s");
  assert.equal(tenantsOf(await claimNextRows(service, "letters", 9)), "ab");
  // A rate of its own, with a full bucket.
  await db.sql`select set_claim_rate('letters', 'index', 1, '1 hour', p_key => 'a')`;
  assert.equal(tenantsOf(await claimNextRows(service, "letters", 9)), "a");
  const [{ retry_after_seconds: seconds }] = await db.sql`
    select retry_after_seconds from claim_gates() where key = 'a'`;
  assert.equal(seconds, 3600);
});

Deno.test("a paused key is not claimed, and the others are", async () => {
  await using db = await freshDatabase();
  const service = await letters(db, "aabb");
  const [granted] = await claimRows(service, "letters", ["1"]);
  const [{ held }] = await db.sql`select pause_claims('letters', 'index', 'a') as held`;
  assert.equal(Number(held), 1);
  assert.equal(tenantsOf(await claimNextRows(service, "letters", 9)), "bb");
  await settleRows(service, granted.fence, [], "succeeded");
  assert.equal(Number((await db.sql`select pause_claims('letters', 'index', 'a') as n`)[0].n), 0);
  const [why] = await db.sql`select * from explain_claim('letters', '2', 'index')`;
  assert.deepEqual([why.reason, why.detail.key], ["paused", "a"]);
  assert.equal(why.what_would_change_it, "select resume_claims('letters', 'index', 'a').");
  await db.sql`select resume_claims('letters', 'index', 'a')`;
  assert.equal(tenantsOf(await claimNextRows(service, "letters", 9)), "a");
});

Deno.test("explain_claim tells of the limit of a key", async () => {
  await using db = await freshDatabase();
  const service = await letters(db, "aab");
  await db.sql`select set_claim_limit('letters', 'index', 1, p_each_key => true)`;
  const granted = await claimNextRows(service, "letters", 9);
  const waiting = granted.some(({ id }) => id === "1") ? "2" : "1";
  const [why] = await db.sql`select * from explain_claim('letters', ${waiting}, 'index')`;
  assert.deepEqual([why.state, why.reason], ["unclaimed", "limit"]);
  assert.deepEqual(why.detail, { key: "a", max_running: 1, running: 1 });
  assert.match(why.what_would_change_it, /set_claim_limit\('letters', 'index', 2, 'a'\)/);
});

Deno.test("what was claimed through gates is forgotten after a day", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const service = await letters(db, "ab");
  await db.sql`select set_claim_rate('letters', 'index', 5, '1 minute', p_each_key => true)`;
  await claimNextRows(service, "letters", 9);
  const kept = async () => (await db.sql`select from dibs.claim_bucket`).length;
  await db.sql`select dibs.tick()`;
  assert.equal(await kept(), 2);
  await clock.advance("25 hours");
  await db.sql`select dibs.tick()`;
  assert.equal(await kept(), 0);
});

Deno.test("gates of keys that cannot be are refused", async () => {
  await using db = await freshDatabase();
  await letters(db, "a");
  await assertRefused(
    db.sql`select set_claim_limit('thoughts', 'index', 1, 'a')`,
    "PT400",
    /rows of thoughts have no keys/,
  );
  await assertRefused(
    db.sql`select set_claim_limit('letters', 'index', 1, 'a', true)`,
    "PT400",
    /p_each_key must be false/,
  );
  await assertRefused(
    db.sql`select set_claim_rate('letters', 'index', 1, '1 s', null, '')`,
    "PT400",
    /p_key must not be empty/,
  );
  await assertRefused(
    db.sql`select pause_claims('letters', null, 'a')`,
    "PT400",
    /p_work_type must not be empty/,
  );
});
