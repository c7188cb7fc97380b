import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { contents } from "../support/contents.ts";
import { freshDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { claim, claimNext, claimsOn, idsOf, makeThoughts } from "../support/thoughts.ts";
import { release, settle, WORK } from "../support/thoughts.ts";

Deno.test("many workers get each thought once, and all of them", async () => {
  await using db = await freshDatabase();
  const ids = await makeThoughts(db.sql, 2_000);
  const granted: string[] = [];
  await Promise.all(Array.from({ length: 8 }, async (_, n) => {
    const service = db.as("service_role");
    // Empty may mean that another worker is searching just then: ask again.
    for (let empty = 0; empty < 100 && granted.length < ids.length;) {
      const some = idsOf(await claimNext(service, 1 + n * 5));
      if (some.length === 0) empty++;
      granted.push(...some);
    }
  }));
  assert.deepEqual(granted.sort(), ids);
});

Deno.test("a lone worker gets as many as it asks for until none is left", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const ids = await makeThoughts(db.sql, 250);
  const granted: string[] = [];
  for (const limit of [1, 99, 100, 1, 40]) {
    const some = idsOf(await claimNext(service, limit));
    assert.equal(some.length, limit);
    granted.push(...some);
  }
  granted.push(...idsOf(await claimNext(service, 1_000)));
  assert.deepEqual(granted.sort(), ids);
  assert.deepEqual(await claimNext(service, 1), []);
});

Deno.test("more thoughts than one search looks at are all found", async () => {
  await using db = await freshDatabase();
  const ids = await makeThoughts(db.sql, 25_000);
  await claim(db.sql, ids.slice(0, 1_000), { worker: "other" });
  const granted: string[] = [];
  for (let n = 0; n < 24; n++) granted.push(...idsOf(await claimNext(db.sql, 1_000)));
  assert.deepEqual(granted.sort(), ids.slice(1_000));
});

Deno.test("a thought with the lowest or the highest id is found too", async () => {
  await using db = await freshDatabase();
  const ends = [
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
  ];
  for (const id of ends) await db.sql`insert into thoughts (id, content) values (${id}, 'end')`;
  assert.deepEqual(idsOf(await claimNext(db.sql, 10)), ends);
});

Deno.test("work types have pools of their own", async () => {
  await using db = await freshDatabase();
  const ids = await makeThoughts(db.sql, 10);
  assert.deepEqual(idsOf(await claimNext(db.sql, 10, { workType: "a" })), ids);
  assert.deepEqual(idsOf(await claimNext(db.sql, 10, { workType: "b" })), ids);
});

Deno.test("new thoughts are found, deleted ones are not granted", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const ids = await makeThoughts(db.sql, 20);
  const first = idsOf(await claimNext(service, 5));
  const [deleted, ...left] = ids.filter((id) => !first.includes(id));
  await db.sql`delete from thoughts where id = ${deleted}`;
  const added = await makeThoughts(db.sql, 3);
  const rest = idsOf(await claimNext(service, 100));
  assert.deepEqual(rest, [...left, ...added].sort());
});

Deno.test("thoughts in the pool that somebody claimed by name are passed over", async () => {
  await using db = await freshDatabase();
  const ids = await makeThoughts(db.sql, 20);
  const first = idsOf(await claimNext(db.sql, 5));
  const named = ids.filter((id) => !first.includes(id)).slice(0, 10);
  assert.deepEqual(await claim(db.sql, named), named);
  assert.equal((await claimNext(db.sql, 100)).length, 5);
});

Deno.test("a worker that asks for one gets the one that is left, whatever others claimed by name", async () => {
  await using db = await freshDatabase();
  const ids = await makeThoughts(db.sql, 20);
  const first = idsOf(await claimNext(db.sql, 10));
  const others = ids.filter((id) => !first.includes(id));
  const left = others.pop()!;
  assert.deepEqual(await claim(db.sql, others), others);
  assert.deepEqual(idsOf(await claimNext(db.sql, 1)), [left]);
});

Deno.test("a thought that was handed back again and again is granted once, beside the others", async () => {
  await using db = await freshDatabase();
  const ids = await makeThoughts(db.sql, 4);
  const [first] = idsOf(await claimNext(db.sql, 1));
  const left = ids.filter((id) => id !== first);
  for (let n = 0; n < 20; n++) {
    assert.deepEqual(await claim(db.sql, [left[0]], { worker: "undecided" }), [left[0]]);
    await db.sql`select release_claims_for_worker(${WORK}, 'undecided')`;
  }
  assert.deepEqual(idsOf(await claimNext(db.sql, 3)), left);
});

/** The ways in which a claimed thought becomes free again. */
const FREED: Record<string, (sql: Sql, id: string, fence: string) => Promise<unknown>> = {
  "handed back by its lease": (sql, id, fence) => settle(sql, fence, [{ id, status: "released" }]),
  "handed back in bulk": (sql) => sql`select release_claims_for_worker(${WORK}, 'worker')`,
  "retried by hand": async (sql, id, fence) => {
    await settle(sql, fence, [{ id, status: "failed", permanent: true }]);
    await sql`select retry_failed_thoughts(${WORK})`;
  },
  "cleared by a client": async (sql, id) => {
    await release(sql, id, "succeeded");
    await sql`delete from thought_work_claims where status = 'succeeded'`;
  },
};

for (const [what, free] of Object.entries(FREED)) {
  Deno.test(`a thought ${what} is found at once, even while the search rests`, async () => {
    await using db = await freshDatabase();
    const service = db.as("service_role");
    const [id] = await makeThoughts(db.sql, 1);
    const [{ fence }] = await claimNext(service, 1);
    await letSearchRest(db.sql);
    assert.deepEqual(await claimNext(service, 1), []);
    await free(service, id, fence);
    assert.deepEqual(idsOf(await claimNext(service, 1)), [id]);
  });
}

Deno.test("expired and due thoughts are found at once, even while the search rests", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const clock = await testClock(db.sql);
  const [a, b] = await makeThoughts(db.sql, 2);
  const [{ fence }] = await claimNext(service, 2, { seconds: 100 });
  await settle(service, fence, [{ id: a, status: "failed" }]);
  await letSearchRest(db.sql);
  assert.deepEqual(await claimNext(service, 2), []);
  await clock.advance("2 s");
  assert.deepEqual((await claimNext(service, 2)).map((row) => [row.thought_id, row.attempt]), [
    [a, 2],
  ]);
  await clock.advance("100 s");
  const granted = await claimNext(service, 2);
  assert.ok(granted.some(({ thought_id, attempt }) => thought_id === b && attempt === 2));
});

Deno.test("a costly search rests before it looks at all thoughts again", async () => {
  await using db = await freshDatabase();
  const [id] = await makeThoughts(db.sql, 1);
  await claimNext(db.sql, 1);
  const [added] = await makeThoughts(db.sql, 1);
  await letSearchRest(db.sql);
  assert.deepEqual(await claimNext(db.sql, 1), []);
  await db.sql`update dibs.thought_pass set began_at = now() - 20.1 * debt where true`;
  assert.deepEqual(idsOf(await claimNext(db.sql, 2)), [added]);
  assert.deepEqual((await claimsOn(db.sql)).map((row) => row.thought_id), [id, added].sort());
});

Deno.test("a search that a slow machine held up does not hide what comes next", async () => {
  await using db = await freshDatabase();
  await makeThoughts(db.sql, 1);
  await claimNext(db.sql, 1);
  const [added] = await makeThoughts(db.sql, 1);
  await db.sql`update dibs.thought_pass set began_at = now(), debt = '800 ms' where true`;
  assert.deepEqual(idsOf(await claimNext(db.sql, 2)), [added]);
});

Deno.test("cheap searches add up to no rest, costly ones to a twentieth of the time", async () => {
  await using db = await freshDatabase();
  const owed = async (debt: string, ago: string) => {
    const [{ milliseconds }] = await db.sql`
      select extract(epoch from dibs.search_debt(row('w', null, clock_timestamp() - ${ago}::interval,
        ${debt}::interval, 0)))::float8 * 1000 as milliseconds`;
    return milliseconds;
  };
  assert.equal(await owed("10 ms", "0"), 0);
  assert.equal(await owed("2 s", "1 hour"), 0);
  const [at, after] = [await owed("1 hour", "0"), await owed("1 hour", "20 min")];
  assert.ok(Math.abs(at - after - 60_000) < 10);
});

Deno.test("while searches rest, asking in vain leaves their very row alone", async () => {
  await using db = await freshDatabase();
  await makeThoughts(db.sql, 1);
  await claimNext(db.sql, 1);
  await letSearchRest(db.sql);
  const row = async () => [...await db.sql`select ctid::text, * from dibs.thought_pass`];
  const before = await row();
  assert.deepEqual(await claimNext(db.sql, 1), []);
  assert.deepEqual(await row(), before);
});

Deno.test("asking in vain leaves no trace", async () => {
  await using db = await freshDatabase();
  await makeThoughts(db.sql, 3);
  await claimNext(db.sql, 3);
  await claimNext(db.sql, 3);
  // A search that was held up is noted, so that searches do not take all the time.
  await eventually("three questions that leave no trace", async () => {
    const before = JSON.stringify(await contents(db.sql));
    for (let n = 0; n < 3; n++) assert.deepEqual(await claimNext(db.sql, 3), []);
    return JSON.stringify(await contents(db.sql)) === before;
  });
});

/** As after a pass over so many thoughts that the next one is far off. */
async function letSearchRest(sql: Sql): Promise<void> {
  await sql`update dibs.thought_pass set began_at = now(), debt = '1 h' where true`;
}
