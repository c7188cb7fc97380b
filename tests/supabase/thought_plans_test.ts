// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { claim, claimNamed, claimNext, claimsOn, idsOf } from "../support/thoughts.ts";
import { makeThoughts, release, renew, settle, WORK } from "../support/thoughts.ts";

for (const analyzed of [false, true]) {
  const state = analyzed ? "known to be empty" : "new";
  Deno.test(`what a worker reads does not grow with what is claimed, on plans of tables ${state}`, async () => {
    await using db = await freshDatabase();
    if (analyzed) await db.sql`vacuum analyze`;
    const worker = db.connect();
    // Plans everything while there is nothing.
    for (let n = 0; n < 3; n++) await workInVain(worker);
    await makeThoughts(db.sql, 30_000);
    await db.sql`
      insert into thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at, status)
      select id, ${WORK}, 'other', now() + interval '1 h', (array['claimed', 'succeeded', 'failed'])[1 + n % 3]
      from (select id, row_number() over (order by id) as n from thoughts limit 20000) first`;
    await db.sql`
      insert into dibs.thought_attempt (thought_id, work_type, attempts)
      select thought_id, work_type, 1 from thought_work_claims`;
    await claimNext(worker, 10); // passes over what is claimed, and fills the pool
    const before = await rowsRead(worker);
    for (let n = 0; n < 10; n++) assert.equal(await workOnce(worker, 10), 10);
    const read = await rowsRead(worker) - before;
    assert.ok(read < 20_000, `10 rounds with 10 thoughts read ${read} rows`);
  });
}

Deno.test("a look for expired claims steps over what an old snapshot keeps of them", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const ids = await makeThoughts(db.sql, 30_000);
  const [soon, late] = ids;
  await using _ = await pinSnapshot(db.connect());
  // As many leases that ran out long ago, each settled in time.
  await db.sql`
    insert into thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at)
    select id, ${WORK}, 'other', now() - interval '1 h' from thoughts where id <> all (${
    ids.slice(0, 2)
  })`;
  await db.sql`update thought_work_claims set status = 'succeeded' where true`;
  const worker = db.connect();
  await claim(worker, []);
  const hints = await db
    .sql`update dibs.reap_hint set look_from_start_at = 'infinity' where true returning 1`;
  assert.equal(hints.length, 1);

  const before = await rowsRead(worker);
  for (let n = 0; n < 10; n++) await claim(worker, []);
  const read = await rowsRead(worker) - before;
  assert.ok(read < 1_000, `10 looks read ${read} rows`);

  // What expires from now on is found at once, what was committed late when looking from the start again.
  await claim(worker, [soon], { seconds: 1 });
  await db.sql`
    insert into thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at)
    values (${late}, ${WORK}, 'late', now() - interval '1 h')`;
  await clock.advance("1 s");
  await claim(worker, []);
  const open = async () => (await claimsOn(db.sql)).filter(({ status }) => status === "claimed");
  assert.deepEqual((await open()).map((row) => row.thought_id), [late]);
  await db.sql`update dibs.reap_hint set look_from_start_at = now() where true`;
  await claim(worker, []);
  assert.deepEqual(await open(), []);
});

Deno.test("taking from the pool steps over what an old snapshot keeps of earlier searches", async () => {
  await using db = await freshDatabase();
  await makeThoughts(db.sql, 200);
  const worker = db.connect();
  await claimNext(worker, 10);
  await using _ = await pinSnapshot(db.connect());
  await db.sql`
    insert into dibs.thought_run (work_type, fill, ids)
    select work_type, fill, '{}' from dibs.thought_pass, generate_series(1, 5000)`;
  await db.sql`delete from dibs.thought_run where ids = '{}'`;
  await db.sql`update dibs.thought_pass set fill = fill + 3 where true`;
  await makeThoughts(db.sql, 200);
  await claimNext(worker, 300); // searches
  const before = await rowsRead(worker);
  for (let n = 0; n < 10; n++) await claimNext(worker, 1);
  const read = await rowsRead(worker) - before;
  assert.ok(read < 1_000, `10 calls read ${read} rows`);
});

/** Every call of a worker, as far as it gets without thoughts. */
async function workInVain(worker: Sql): Promise<void> {
  const ids = Array.from({ length: 3 }, () => crypto.randomUUID());
  await claimNext(worker, 10);
  await claim(worker, ids);
  await claimNamed(worker, ids);
  await renew(worker, "1");
  await release(worker, ids[0], "succeeded");
  await settle(worker, "1", outcomesOf(ids), "succeeded");
  await settleAndClaim(worker, "1");
  await worker`select release_claims_for_worker('other', 'worker')`;
}

/** Every call of a worker, on so many thoughts; how many it got. */
async function workOnce(worker: Sql, count: number): Promise<number> {
  const granted = await claimNext(worker, count);
  const [{ fence }] = granted;
  const ids = idsOf(granted);
  await renew(worker, fence);
  await release(worker, ids[9], "succeeded");
  await settle(worker, fence, outcomesOf(ids), "succeeded");
  await claim(worker, ids, { workType: "other" });
  await worker`select release_claims_for_worker('other', 'worker')`;
  const [named] = await claimNamed(worker, ids, { workType: "other" });
  const next = await settleAndClaim(worker, named.fence);
  await settle(worker, next, [], "succeeded");
  return ids.length;
}

function outcomesOf([a, b, c]: string[]) {
  return [
    { id: a, status: "succeeded", metadata: { done: true } },
    { id: b, status: "failed" },
    { id: c, status: "released" },
  ];
}

async function settleAndClaim(worker: Sql, fence: string): Promise<string> {
  const [{ answer }] = await worker`
    select settle_and_claim_thoughts(${fence}, '[]', 'succeeded', ${WORK}, 'worker', 10) as answer`;
  return answer.fence;
}

/** Holds a snapshot of the database as it is until disposed of. */
async function pinSnapshot(sql: Sql): Promise<AsyncDisposable> {
  await sql`begin isolation level repeatable read`;
  await sql`select count(*) from thoughts`;
  return { [Symbol.asyncDispose]: async () => void await sql`commit` };
}

async function rowsRead(sql: Sql): Promise<number> {
  await sql`select pg_stat_force_next_flush()`;
  const [{ rows }] = await sql`
    select (sum(seq_tup_read) + sum(idx_tup_fetch) + (select sum(idx_tup_read) from pg_stat_user_indexes))::int
      as rows from pg_stat_user_tables`;
  return rows;
}
