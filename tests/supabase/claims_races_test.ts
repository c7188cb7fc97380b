// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase, type TestDatabase } from "../support/database.ts";
import { startBlocked } from "../support/locks.ts";
import { claim, claimNamed, claimNext, claimsOn, makeThoughts } from "../support/thoughts.ts";
import { idsOf, release, renew, settle } from "../support/thoughts.ts";

Deno.test("claims in opposite order neither wait nor deadlock", async () => {
  await using race = await startRace();
  const [a, b, c, d] = await makeThoughts(race.db.sql, 4);
  await race.first`begin`;
  assert.deepEqual(await claim(race.first, [a, b]), [a, b]);
  await race.second`begin`;
  assert.deepEqual(await claim(race.second, [c, b, a]), [c]);
  assert.deepEqual(await claim(race.first, [d, c]), [d]);
  await race.first`commit`;
  await race.second`commit`;
});

Deno.test("expired claims are left to the call that is taking them over or away", async () => {
  await using race = await startRace();
  const [a, b, c] = await race.expired(3);
  await race.first`begin`;
  assert.deepEqual(await claim(race.first, [b]), [b]);
  assert.deepEqual(await claim(race.second, [c, b, a]), []);
  await race.first`commit`;
  assert.deepEqual(await claim(race.second, [c, b, a]), [a, c]);
  assert.deepEqual((await claimsOn(race.db.sql)).map((row) => row.attempt_count), [2, 2, 2]);
});

Deno.test("an expired claim that is being reaped is neither waited for nor granted twice", async () => {
  await using race = await startRace();
  const [a, b] = await race.expired(2);
  await race.first`begin`;
  await claim(race.first, []);
  assert.deepEqual(await claim(race.second, [a, b]), []);
  assert.deepEqual(await claimNext(race.second, 2), []);
  await race.first`commit`;
  assert.deepEqual(await claim(race.second, [a, b]), [a, b]);
  assert.equal((await claimsOn(race.db.sql, a))[0].attempt_count, 2);
});

Deno.test("when the call that takes over an expired claim fails, the next one gets it", async () => {
  await using race = await startRace();
  const [a] = await race.expired(1);
  await race.first`begin`;
  assert.deepEqual(await claim(race.first, [a]), [a]);
  assert.deepEqual(await claim(race.second, [a]), []);
  await race.first`rollback`;
  assert.deepEqual(await claim(race.second, [a]), [a]);
});

Deno.test("a lease begins when it is granted, not when its transaction began", async () => {
  await using race = await startRace();
  const [a] = await makeThoughts(race.db.sql, 1);
  await race.first`begin`;
  await race.first`select now()`;
  await race.clock.advance("100 s");
  await claim(race.first, [a], { seconds: 10 });
  await race.first`commit`;
  assert.deepEqual(await claim(race.second, [a]), []);
});

Deno.test("all leases of one call begin and end at the same moment", async () => {
  await using race = await startRace();
  await claim(race.first, await makeThoughts(race.db.sql, 200), { seconds: 10 });
  const [{ moments, exact }] = await race.db.sql`
    select count(distinct claimed_at)::int as moments,
      bool_and(ttl_expires_at - claimed_at = interval '10 s') as exact
    from thought_work_claims`;
  assert.deepEqual([moments, exact], [1, true]);
});

Deno.test("a worker that overslept cannot touch its namesake's claim", async () => {
  await using race = await startRace();
  const [a] = await makeThoughts(race.db.sql, 1);
  const [old] = await claimNamed(race.first, [a], { worker: "same", seconds: 1 });
  await race.clock.advance("1 s");
  const [current] = await claimNamed(race.second, [a], { worker: "same" });

  for (const status of ["succeeded", "failed", "released"]) {
    assert.deepEqual(await settle(race.first, old.fence, [{ id: a, status }]), {
      settled: 0,
      lost: [a],
    });
  }
  assert.deepEqual(await settle(race.first, old.fence, [], "released"), { settled: 0, lost: [] });
  assert.deepEqual(await renew(race.first, old.fence), []);
  assert.deepEqual(await renew(race.second, current.fence), [a]);
});

Deno.test("a heartbeat in the last moment beats whoever wants the claim", async () => {
  await using race = await startRace();
  const [a] = await makeThoughts(race.db.sql, 1);
  const [{ fence }] = await claimNamed(race.first, [a], { seconds: 1 });
  await race.clock.advance("1 s");
  await race.first`begin`;
  assert.deepEqual(await renew(race.first, fence), [a]);
  assert.deepEqual(await claim(race.second, [a]), []);
  await race.first`commit`;
  assert.deepEqual(await claim(race.second, [a]), []);
  assert.deepEqual(await renew(race.first, fence), [a]);
});

Deno.test("a thought that is being deleted does not hold up or spoil a claim", async () => {
  await using race = await startRace();
  const [a, b, c] = await makeThoughts(race.db.sql, 3);
  await race.first`begin`;
  await race.first`delete from thoughts where id = ${b}`;
  assert.deepEqual(await claim(race.second, [a, b, c]), [a, c]);
  await race.first`commit`;
});

Deno.test("an expired claim whose thought is being deleted does not hold up the reaping", async () => {
  await using race = await startRace();
  const [a, b] = await race.expired(2);
  await race.first`begin`;
  await race.first`select from thoughts where id = ${a} for update`;
  assert.deepEqual(await claim(race.second, []), []);
  assert.deepEqual((await claimsOn(race.db.sql)).map((row) => row.thought_id), [a]);
  await race.first`delete from thoughts where id = ${a}`;
  await race.first`commit`;
  assert.deepEqual(await claim(race.second, [a, b]), [b]);
});

Deno.test("an open claim keeps its thought from deletion, not from being edited", async () => {
  await using race = await startRace();
  const [a] = await makeThoughts(race.db.sql, 1);
  await race.first`begin`;
  await claim(race.first, [a]);
  await race.second`update thoughts set content = 'edited' where id = ${a}`;
  const deletion = await startBlocked(
    race.db.sql,
    race.second,
    (sql) => sql`delete from thoughts where id = ${a}`,
  );
  await race.first`commit`;
  await deletion.done;
  assert.deepEqual(await claimsOn(race.db.sql), []);
});

Deno.test("settling and deleting the same thought cannot deadlock, whoever comes first", async () => {
  await using race = await startRace();
  const [a, b] = await makeThoughts(race.db.sql, 2);
  const [{ fence }] = await claimNamed(race.db.sql, [a, b]);
  const success = (id: string) => [{ id, status: "succeeded", metadata: { done: true } }];

  await race.first`begin`;
  await race.first`select from thoughts where id = ${a} for update`;
  const settling = await startBlocked(
    race.db.sql,
    race.second,
    (sql) => settle(sql, fence, success(a)),
  );
  await race.first`delete from thoughts where id = ${a}`;
  await race.first`commit`;
  assert.deepEqual(await settling.done, { settled: 0, lost: [a] });

  await race.first`begin`;
  assert.equal((await settle(race.first, fence, success(b))).settled, 1);
  const deletion = await startBlocked(
    race.db.sql,
    race.second,
    (sql) => sql`delete from thoughts where id = ${b}`,
  );
  await race.first`commit`;
  await deletion.done;
});

Deno.test("of two outcomes for one grant the first wins", async () => {
  await using race = await startRace();
  const [a] = await makeThoughts(race.db.sql, 1);
  const [{ fence }] = await claimNamed(race.db.sql, [a]);
  await race.first`begin`;
  await settle(race.first, fence, [{ id: a, status: "succeeded" }]);
  const late = await startBlocked(
    race.db.sql,
    race.second,
    (sql) => settle(sql, fence, [{ id: a, status: "failed" }]),
  );
  await race.first`commit`;
  assert.deepEqual(await late.done, { settled: 0, lost: [a] });
  assert.equal((await claimsOn(race.db.sql, a))[0].status, "succeeded");
});

Deno.test("a client stalled in its transaction holds up only what it claimed itself", async () => {
  await using race = await startRace();
  const ids = await makeThoughts(race.db.sql, 20);
  await race.first`begin`;
  await claim(race.first, [ids[7]]);
  assert.equal((await claim(race.second, ids)).length, 19);
  await race.first`commit`;
});

Deno.test("a client stalled in claiming the next thoughts leaves the others some", async () => {
  await using race = await startRace();
  const ids = await makeThoughts(race.db.sql, 20);
  await race.first`begin`;
  const stalled = idsOf(await claimNext(race.first, 5));
  const others = idsOf(await claimNext(race.second, 20));
  assert.deepEqual([...stalled, ...others].sort(), ids);
  await race.first`commit`;
  assert.deepEqual(await claimNext(race.second, 20), []);
});

Deno.test("under repeatable read a claim that came too late is refused whole, to be tried again", async () => {
  await using race = await startRace();
  const [a, b] = await makeThoughts(race.db.sql, 2);
  await race.first`begin isolation level repeatable read`;
  await race.first`select from thoughts`;
  assert.deepEqual(await claim(race.second, [a], { worker: "second" }), [a]);
  await assert.rejects(claim(race.first, [a, b]), { code: "40001" });
  await race.first`rollback`;
  assert.deepEqual((await claimsOn(race.db.sql)).map((row) => row.worker_id), ["second"]);
  assert.deepEqual(await claim(race.first, [a, b]), [b]);
});

Deno.test("a release waits for the heartbeat under way, and then counts", async () => {
  await using race = await startRace();
  const [a] = await makeThoughts(race.db.sql, 1);
  const [{ fence }] = await claimNamed(race.db.sql, [a]);
  await race.first`begin`;
  await renew(race.first, fence);
  const released = await startBlocked(
    race.db.sql,
    race.second,
    (sql) => release(sql, a, "succeeded"),
  );
  await race.first`commit`;
  assert.equal(await released.done, true);
});

interface Race extends AsyncDisposable {
  db: TestDatabase;
  clock: Awaited<ReturnType<typeof testClock>>;
  /** Two connections of the service role, which fail rather than wait for long. */
  first: Sql;
  second: Sql;
  /** So many thoughts whose claims have just expired. */
  expired(count: number): Promise<string[]>;
}

async function startRace(): Promise<Race> {
  const db = await freshDatabase();
  const clock = await testClock(db.sql);
  const [first, second] = [db.as("service_role"), db.as("service_role")];
  for (const connection of [first, second]) await connection`set lock_timeout = '5 s'`;
  return {
    db,
    clock,
    first,
    second,
    async expired(count) {
      const ids = await makeThoughts(db.sql, count);
      await claim(db.sql, ids, { worker: "gone", seconds: 1 });
      await clock.advance("1 s");
      return ids;
    },
    [Symbol.asyncDispose]: () => db[Symbol.asyncDispose](),
  };
}
