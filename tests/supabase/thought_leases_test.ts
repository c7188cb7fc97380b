import assert from "node:assert/strict";
import { testClock } from "../support/clock.ts";
import { contents } from "../support/contents.ts";
import { freshDatabase } from "../support/database.ts";
import { assertRefused } from "../support/refused.ts";
import { claim, claimNamed, claimNext, claimsOn, idsOf } from "../support/thoughts.ts";
import { makeThoughts, renew, settle } from "../support/thoughts.ts";

Deno.test("a grant tells the worker all it needs", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const [id, other] = await makeThoughts(db.sql, 2);
  await db
    .sql`update thoughts set content = 'think', metadata = '{"mood": "good"}' where id = ${id}`;
  const [granted] = await claimNamed(service, [id, crypto.randomUUID()]);
  const { fence, lease_expires_at, ...rest } = granted;
  assert.match(fence, /^\d+$/);
  assert.ok(lease_expires_at.getTime() > Date.now());
  assert.deepEqual(rest, {
    thought_id: id,
    attempt: 1,
    content: "think",
    metadata: { mood: "good" },
  });
  const [next] = await claimNext(service, 1);
  assert.equal(next.thought_id, other);
  assert.ok(BigInt(next.fence) > BigInt(fence));
});

Deno.test("a repeated request id returns the grant whose answer was lost", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const ids = await makeThoughts(db.sql, 6);
  const named = await claimNamed(service, ids.slice(0, 3), { requestId: "one" });
  assert.deepEqual(await claimNamed(service, ids.slice(0, 3), { requestId: "one" }), named);
  const next = await claimNext(service, 2, { requestId: "two" });
  assert.equal(next.length, 2);
  assert.deepEqual(await claimNext(service, 2, { requestId: "two" }), next);

  await settle(service, next[0].fence, [{ id: next[0].thought_id, status: "succeeded" }]);
  assert.deepEqual(await claimNext(service, 2, { requestId: "two" }), next.slice(1));
  await assert.rejects(claimNext(service, 2, { requestId: "one" }), { code: "PT409" });
});

Deno.test("a renewal prolongs the lease from now on", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const clock = await testClock(db.sql);
  const ids = await makeThoughts(db.sql, 3);
  const [{ fence }] = await claimNamed(service, ids, { seconds: 10 });
  await clock.advance("9 s");
  assert.deepEqual(await renew(service, fence, 10), ids);
  await clock.advance("9 s");
  assert.deepEqual(await claim(service, ids), []);
  await clock.advance("1 s");
  assert.deepEqual(await claim(service, ids.slice(0, 1)), ids.slice(0, 1));
  assert.deepEqual(await renew(service, fence, 10), []);
});

Deno.test("each thought of a lease gets its own outcome", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const clock = await testClock(db.sql);
  const [done, failed, hopeless, handedBack, open] = await makeThoughts(db.sql, 5);
  const [{ fence }] = await claimNamed(service, [done, failed, hopeless, handedBack, open]);
  const answer = await settle(service, fence, [
    { id: done, status: "succeeded", metadata: { mood: "good" } },
    { id: failed, status: "failed", error: "try later" },
    { id: hopeless, status: "failed", error: "never", permanent: true },
    { id: handedBack, status: "released" },
  ]);
  assert.deepEqual(answer, { settled: 4, lost: [] });
  assert.deepEqual(
    (await claimsOn(db.sql)).map((row) => [row.thought_id, row.status, row.last_error]),
    [
      [done, "succeeded", null],
      [failed, "failed", "try later"],
      [hopeless, "failed", "never"],
      [open, "claimed", null],
    ],
  );
  const attempts = async () =>
    Object.fromEntries(
      (await claimNamed(service, [done, failed, hopeless, handedBack, open]))
        .map(({ thought_id, attempt }) => [thought_id, attempt]),
    );
  assert.deepEqual(await attempts(), { [handedBack]: 1 });
  await clock.advance("2 s");
  await claim(service, []);
  assert.deepEqual(await attempts(), { [failed]: 2 });
});

Deno.test("metadata is merged in the transaction of the settlement, or not at all", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const [a, b] = await makeThoughts(db.sql, 2);
  const metadata = async () => {
    const rows = await db.sql`select metadata from thoughts order by id`;
    return rows.map((row) => row.metadata);
  };
  await db.sql`update thoughts set metadata = '{"kept": 1, "changed": 1}' where id = ${a}`;
  await db.sql`update thoughts set metadata = null where id = ${b}`;
  const [{ fence }] = await claimNamed(service, [a, b]);
  const outcomes = [a, b].map((id) => ({ id, status: "succeeded", metadata: { changed: 2 } }));

  await service`begin`;
  await settle(service, fence, outcomes);
  await service`rollback`;
  assert.deepEqual(await metadata(), [{ kept: 1, changed: 1 }, null]);
  await settle(service, fence, outcomes);
  assert.deepEqual(await metadata(), [{ kept: 1, changed: 2 }, { changed: 2 }]);

  await db.sql`update thoughts set metadata = '{"edited": true}'`;
  assert.deepEqual(await settle(service, fence, outcomes), { settled: 2, lost: [] });
  assert.deepEqual(await metadata(), [{ edited: true }, { edited: true }]);
});

Deno.test("an outcome repeated under its fence counts, another one is lost", async () => {
  await using db = await freshDatabase();
  const [a, b] = await makeThoughts(db.sql, 2);
  const [{ fence }] = await claimNamed(db.sql, [a]);
  const done = [{ id: a, status: "succeeded" }];
  assert.deepEqual(await settle(db.sql, fence, done), { settled: 1, lost: [] });
  assert.deepEqual(await settle(db.sql, fence, done), { settled: 1, lost: [] });
  assert.deepEqual(await settle(db.sql, fence, [{ id: a, status: "failed" }]), {
    settled: 0,
    lost: [a],
  });
  const [{ fence: foreign }] = await claimNamed(db.sql, [b]);
  assert.deepEqual(await settle(db.sql, foreign, done), { settled: 0, lost: [a] });
  assert.deepEqual(await settle(db.sql, "999999999", done), { settled: 0, lost: [a] });
});

Deno.test("the rest of a lease is settled alike, or stays leased", async () => {
  await using db = await freshDatabase();
  const ids = await makeThoughts(db.sql, 4);
  const statuses = async () => (await claimsOn(db.sql)).map((row) => row.status);
  const [{ fence }] = await claimNamed(db.sql, ids);
  await settle(db.sql, fence, [{ id: ids[0], status: "failed" }]);
  assert.deepEqual(await statuses(), ["failed", "claimed", "claimed", "claimed"]);
  const answer = await settle(db.sql, fence, [{ id: ids[1], status: "released" }], "succeeded");
  assert.deepEqual(answer, { settled: 3, lost: [] });
  assert.deepEqual(await statuses(), ["failed", "succeeded", "succeeded"]);
});

Deno.test("failures are retried later and later, then quarantined until somebody says so", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const clock = await testClock(db.sql);
  const [id] = await makeThoughts(db.sql, 1);
  const waits: number[] = [];
  for (const attempt of [1, 2, 3]) {
    const [granted] = await claimNamed(service, [id], { maxAttempts: 3 });
    assert.equal(granted.attempt, attempt);
    await settle(service, granted.fence, [{ id, status: "failed", error: `no ${attempt}` }]);
    const [{ wait }] = await db.sql`
      select extract(epoch from retry_at - finished_at)::float as wait from thought_work_claims`;
    waits.push(wait);
    assert.deepEqual(await claimNamed(service, [id]), []);
    await clock.advance("10 s");
    await claim(service, []);
  }
  const [first, second, third] = waits;
  assert.ok(first >= 0.75 && first <= 1.25, `${first}`);
  assert.ok(second >= 1.5 && second <= 2.5, `${second}`);
  assert.equal(third, null);
  const [quarantined] = await service`select * from quarantined_thoughts('enrichment')`;
  assert.deepEqual([quarantined.thought_id, quarantined.last_error], [id, "no 3"]);

  const retry = () => service`select retry_failed_thoughts('enrichment') as n`;
  assert.equal((await retry())[0].n, 1);
  assert.equal((await retry())[0].n, 0);
  assert.equal((await claimNamed(service, [id]))[0].attempt, 1);
});

Deno.test("failed thoughts are retried by name, and only those", async () => {
  await using db = await freshDatabase();
  const ids = await makeThoughts(db.sql, 3);
  const [{ fence }] = await claimNamed(db.sql, ids);
  await settle(db.sql, fence, [], "failed");
  const [{ n }] = await db.sql`select retry_failed_thoughts('enrichment', ${ids.slice(0, 2)}) as n`;
  assert.equal(n, 2);
  assert.deepEqual(idsOf(await claimNamed(db.sql, ids)), ids.slice(0, 2));
});

Deno.test("one call settles a lease and claims the next", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const ids = await makeThoughts(db.sql, 5);
  const [{ fence }] = await claimNamed(service, ids.slice(0, 3), { seconds: 60 });
  const settleAndClaim = async () => {
    const outcomes = [{ id: ids[0], status: "failed", permanent: true }];
    const [{ answer }] = await service`
      select settle_and_claim_thoughts(${fence}, ${service.json(outcomes)}, 'succeeded',
        'enrichment', 'w', 10, 60, 5, 'request') as answer`;
    return answer;
  };
  const answer = await settleAndClaim();
  assert.deepEqual([answer.settled, answer.lost], [3, []]);
  assert.ok(BigInt(answer.fence) > BigInt(fence));
  assert.ok(answer.lease_ms > 50_000 && answer.lease_ms <= 60_000);
  assert.deepEqual(answer.thoughts.map(({ id }: { id: string }) => id), ids.slice(3));
  assert.deepEqual(Object.keys(answer.thoughts[0]).sort(), [
    "attempt",
    "content",
    "id",
    "metadata",
  ]);
  assert.deepEqual({ ...await settleAndClaim(), lease_ms: answer.lease_ms }, answer);

  const [{ empty }] = await service`
    select settle_and_claim_thoughts(
      ${answer.fence}, '[]', 'succeeded', 'enrichment', 'w', 10) as empty`;
  assert.deepEqual([empty.settled, empty.fence, empty.thoughts], [2, null, []]);
});

Deno.test("bad input about leases is refused with its place named, and changes nothing", async (t) => {
  await using db = await freshDatabase();
  const [a, b] = await makeThoughts(db.sql, 2);
  const [{ fence }] = await claimNamed(db.sql, [a, b]);
  const before = await contents(db.sql);
  const good = { id: a, status: "succeeded" };
  const outcomes = (...list: unknown[]) => () => settle(db.sql, fence, list as never);
  const both = (outcome: unknown) => outcomes(good, outcome);
  const raw = (json: string) => () => db.sql`select settle_lease(${fence}, ${json}::text::jsonb)`;
  const cases: Record<string, () => PromiseLike<unknown>> = {
    "p_outcomes an object": raw("{}"),
    "p_outcomes text": raw('"[]"'),
    "p_outcomes over 1000": outcomes(...Array(1_001).fill(good)),
    "p_outcomes[1] null": both(null),
    "p_outcomes[1] a list": both([]),
    "p_outcomes[1] with an unknown field": both({ id: b, status: "failed", permanant: true }),
    "p_outcomes[1].id missing": both({ status: "failed" }),
    "p_outcomes[1].id a number": both({ id: 7, status: "failed" }),
    "p_outcomes[1].id no uuid": both({ id: "b", status: "failed" }),
    "p_outcomes[1].id twice": both({ id: a.toUpperCase(), status: "failed" }),
    "p_outcomes[1].status missing": both({ id: b }),
    "p_outcomes[1].status unknown": both({ id: b, status: "completed" }),
    "p_outcomes[1].status a list": both({ id: b, status: ["failed"] }),
    "p_outcomes[1].error a number": both({ id: b, status: "failed", error: 7 }),
    "p_outcomes[1].permanent text": both({ id: b, status: "failed", permanent: "yes" }),
    "p_outcomes[1].metadata a list": both({ id: b, status: "succeeded", metadata: [] }),
    "p_outcomes[1].metadata of a failure": both({ id: b, status: "failed", metadata: {} }),
    "p_outcomes[1].result of a failure": both({ id: b, status: "failed", result: 1 }),
    "p_rest unknown": () => settle(db.sql, fence, [good], "completed"),
    "p_fence empty": () => settle(db.sql, "", [good]),
    "p_fence no number": () => settle(db.sql, "first", [good]),
    "p_fence too long": () => settle(db.sql, "9".repeat(19), [good]),
    "p_lease_seconds zero": () => renew(db.sql, fence, 0),
    "p_lease_seconds of a claim": () => claimNamed(db.sql, [a], { seconds: 86_401 }),
    "p_max_attempts zero": () => claimNamed(db.sql, [a], { maxAttempts: 0 }),
    "p_limit zero": () => claimNext(db.sql, 0),
    "p_limit negative": () => claimNext(db.sql, -1),
    "p_limit huge": () => claimNext(db.sql, 1_001),
    "p_request_id empty": () => claimNext(db.sql, 1, { requestId: "" }),
    "p_request_id too long": () => claimNext(db.sql, 1, { requestId: "x".repeat(201) }),
    "p_thought_ids too many": () => claimNamed(db.sql, Array(1_001).fill(a)),
    "p_work_type empty": () => claimNext(db.sql, 1, { workType: "" }),
    "p_work_type of a retry": () => db.sql`select retry_failed_thoughts('')`,
  };
  for (const [what, call] of Object.entries(cases)) {
    await t.step(what, () => assertRefused(call, what.split(" ")[0]));
  }
  assert.deepEqual(await contents(db.sql), before);
});
