import assert from "node:assert/strict";
import { migrate } from "../../scripts/stack/migrate.ts";
import { testClock } from "../support/clock.ts";
import { contents } from "../support/contents.ts";
import { freshDatabase } from "../support/database.ts";
import { assertRefused } from "../support/refused.ts";
import { claim, claimsOn, makeThoughts, release } from "../support/thoughts.ts";

Deno.test("of two workers after the same thoughts at once, each thought goes to one", async () => {
  await using db = await freshDatabase();
  const ids = await makeThoughts(db.sql, 5);
  const [a, b] = await Promise.all([
    claim(db.as("service_role"), ids, { worker: "a" }),
    claim(db.as("service_role"), ids.toReversed(), { worker: "b" }),
  ]);
  assert.deepEqual([...a, ...b].sort(), ids);
  assert.deepEqual(await claim(db.sql, ids, { worker: "late" }), []);
});

Deno.test("another work type claims the same thoughts", async () => {
  await using db = await freshDatabase();
  const ids = await makeThoughts(db.sql, 5);
  assert.deepEqual(await claim(db.sql, ids, { workType: "one" }), ids);
  assert.deepEqual(await claim(db.sql, ids, { workType: "two" }), ids);
});

Deno.test("nulls, repeats, unknown ids and nested arrays do not spoil a claim", async () => {
  await using db = await freshDatabase();
  const [a, b, c] = await makeThoughts(db.sql, 3);
  assert.deepEqual(await claim(db.sql, [null, b, crypto.randomUUID(), a, b, null]), [a, b]);
  const nested = await db.sql`
    select id from claim_thoughts(array[[${a}, ${c}], [${c}, ${c}]]::uuid[], 'enrichment', 'w') id`;
  assert.deepEqual([...nested], [{ id: c }]);
  assert.equal((await db.sql`select from claim_thoughts(null, 'enrichment', 'w')`).length, 0);
});

Deno.test("a claim lasts 900 seconds unless told otherwise", async () => {
  await using db = await freshDatabase();
  const [id] = await makeThoughts(db.sql, 1);
  await db.sql`select claim_thoughts(${[id]}, 'enrichment', 'w')`;
  const [lease] = await db.sql`
    select ttl_expires_at - claimed_at = interval '900 s' as expected, status, worker_id, attempt_count
    from thought_work_claims`;
  assert.deepEqual(lease, { expected: true, status: "claimed", worker_id: "w", attempt_count: 1 });
});

Deno.test("only the holder releases, once, and a released thought stays done", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const [a, b] = await makeThoughts(db.sql, 2);
  await claim(service, [a, b], { worker: "holder" });

  assert.equal(await release(service, a, "succeeded", { worker: "other" }), false);
  assert.equal(await release(service, a, "succeeded", { worker: "holder" }), true);
  assert.equal(await release(service, a, "succeeded", { worker: "holder" }), false);
  assert.equal(
    await release(service, b, "failed", { worker: "holder", error: "x".repeat(5_000) }),
    true,
  );
  const claims = await claimsOn(db.sql);
  assert.deepEqual(
    claims.map(({ status, last_error, retry_at }) => [status, last_error, retry_at]),
    [
      ["succeeded", null, null],
      ["failed", "x".repeat(4_000), null],
    ],
  );
  assert.deepEqual(await claim(service, [a, b], { worker: "other" }), []);
});

Deno.test("expired claims go to the next who asks, with the attempt counted", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const ids = await makeThoughts(db.sql, 3);
  await claim(db.sql, ids, { worker: "first", seconds: 10 });
  await clock.advance("9 s");
  assert.deepEqual(await claim(db.sql, ids, { worker: "third" }), []);
  await clock.advance("1 s");
  assert.deepEqual(await claim(db.sql, ids, { worker: "third" }), ids);
  assert.deepEqual((await claimsOn(db.sql)).map((row) => [row.worker_id, row.attempt_count]), [
    ["third", 2],
    ["third", 2],
    ["third", 2],
  ]);
  assert.equal(await release(db.sql, ids[0], "succeeded", { worker: "first" }), false);
});

Deno.test("bulk release frees the open claims of one worker, and nothing else", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const ids = await makeThoughts(db.sql, 6);
  const bulk = async (workType: string | null) => {
    const [{ n }] = await service`select release_claims_for_worker(${workType}, 'w') as n`;
    return n;
  };
  await claim(service, ids.slice(0, 4), { worker: "w" });
  await claim(service, ids.slice(4), { worker: "other" });
  await claim(service, ids.slice(0, 2), { worker: "w", workType: "second" });
  await release(service, ids[0], "succeeded", { worker: "w" });

  assert.equal(await bulk("enrichment"), 3);
  assert.deepEqual(await claim(service, ids), ids.slice(1, 4));
  assert.equal(await bulk(null), 2);
  assert.equal((await claimsOn(db.sql)).filter((row) => row.worker_id === "other").length, 2);
});

Deno.test("work handed back in bulk has not burned an attempt", async () => {
  await using db = await freshDatabase();
  const [id] = await makeThoughts(db.sql, 1);
  await claim(db.sql, [id]);
  await db.sql`select release_claims_for_worker('enrichment', 'worker')`;
  await claim(db.sql, [id]);
  assert.equal((await claimsOn(db.sql, id))[0].attempt_count, 1);
});

Deno.test("deleting a thought deletes its claims and what is remembered of them", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const [a, b, c] = await makeThoughts(db.sql, 3);
  await claim(db.sql, [a, b], { seconds: 1 });
  await clock.advance("1 s");
  await claim(db.sql, [b, c]);
  await db.sql`delete from thoughts where id in ${db.sql([a, b])}`;
  assert.deepEqual((await claimsOn(db.sql)).map((row) => row.thought_id), [c]);
  assert.equal((await db.sql`select from dibs.thought_attempt`).length, 0);
});

Deno.test("whoever may delete thoughts can, without rights in Dibs", async () => {
  await using db = await freshDatabase();
  const ids = await makeThoughts(db.sql, 2);
  await db.sql`select from claim_next_thoughts('enrichment', 'w', 2)`;
  await db.sql.unsafe(`
    grant select, delete on public.thoughts to authenticated;
    create policy all_theirs on public.thoughts to authenticated using (true)`);
  await db.as("authenticated")`delete from public.thoughts where id = ${ids[0]}`;
  assert.deepEqual((await claimsOn(db.sql)).map((row) => row.thought_id), [ids[1]]);
});

Deno.test("a client that inserts and deletes claims itself keeps working", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const [a, b] = await makeThoughts(db.sql, 2);
  await service`
    insert into thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at)
    values (${a}, 'enrichment', 'itself', now() + interval '1 min')`;
  assert.deepEqual(await claim(service, [a, b]), [b]);
  assert.equal(await release(service, a, "succeeded", { worker: "itself" }), true);
  await service`delete from thought_work_claims where work_type = 'enrichment' and status = 'succeeded'`;
  assert.deepEqual(await claim(service, [a, b]), [a]);
});

Deno.test("a table of claims that a project has is taken over with its claims", async () => {
  await using db = await freshDatabase({ migrated: false });
  await db.sql.unsafe(`
    create table public.thoughts (id uuid primary key default gen_random_uuid(), content text not null);
    create table public.thought_work_claims (
      thought_id uuid not null references public.thoughts (id) on delete cascade,
      work_type text not null, worker_id text not null, claimed_at timestamptz not null default now(),
      ttl_expires_at timestamptz not null,
      status text not null default 'claimed' check (status in ('claimed', 'succeeded', 'failed')),
      attempt_count int not null default 1, last_error text, primary key (thought_id, work_type))`);
  const [held, done, expired] = await makeThoughts(db.sql, 3);
  await db.sql`
    insert into thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at, status) values
      (${held}, 'enrichment', 'w', now() + interval '1 h', 'claimed'),
      (${done}, 'enrichment', 'w', now(), 'succeeded'),
      (${expired}, 'enrichment', 'w', now() - interval '1 s', 'claimed')`;
  await migrate(db.url);
  const service = db.as("service_role");
  assert.deepEqual(await claim(service, [held, done, expired], { worker: "new" }), [expired]);
  assert.equal(await release(service, held, "succeeded", { worker: "w" }), true);
});

Deno.test("all leases of one call begin and end at the same moment", async () => {
  await using db = await freshDatabase();
  await claim(db.sql, await makeThoughts(db.sql, 200), { seconds: 10 });
  const [{ moments, exact }] = await db.sql`
    select count(distinct claimed_at)::int as moments,
      bool_and(ttl_expires_at - claimed_at = interval '10 s') as exact
    from thought_work_claims`;
  assert.deepEqual([moments, exact], [1, true]);
});

Deno.test("fences of claims grow from grant to grant", async () => {
  await using db = await freshDatabase();
  const [a, b, c] = await makeThoughts(db.sql, 3);
  for (const ids of [[b, a], [c]]) await claim(db.sql, ids);
  const fences = (await claimsOn(db.sql)).map(({ fence }) => BigInt(fence));
  assert.equal(fences[0], fences[1]);
  assert.ok(fences[2] > fences[1]);
});

Deno.test("bad input is refused with its argument named, and changes nothing", async (t) => {
  await using db = await freshDatabase();
  const [id] = await makeThoughts(db.sql, 1);
  await claim(db.sql, [id], { worker: "w" });
  const before = await contents(db.sql);
  const many = Array.from({ length: 1_001 }, () => crypto.randomUUID());
  const cases: Record<string, () => PromiseLike<unknown>> = {
    "p_work_type empty": () => claim(db.sql, [id], { workType: "" }),
    "p_work_type blank": () => claim(db.sql, [id], { workType: " " }),
    "p_work_type too long": () => claim(db.sql, [id], { workType: "x".repeat(101) }),
    "p_work_type of two lines": () => claim(db.sql, [id], { workType: "a\nb" }),
    "p_work_type null": () => db.sql`select claim_thoughts(${[id]}, null, 'w')`,
    "p_worker_id empty": () => claim(db.sql, [id], { worker: "" }),
    "p_worker_id too long": () => claim(db.sql, [id], { worker: "x".repeat(201) }),
    "p_worker_id with an escape": () => claim(db.sql, [id], { worker: "a\u001bb" }),
    "p_ttl_seconds zero": () => claim(db.sql, [id], { seconds: 0 }),
    "p_ttl_seconds negative": () => claim(db.sql, [id], { seconds: -5 }),
    "p_ttl_seconds over a day": () => claim(db.sql, [id], { seconds: 86_401 }),
    "p_ttl_seconds huge": () => claim(db.sql, [id], { seconds: 2_147_483_647 }),
    "p_ttl_seconds null": () => db.sql`select claim_thoughts(${[id]}, 'enrichment', 'w', null)`,
    "p_thought_ids too many": () => claim(db.sql, many),
    "p_status open": () => release(db.sql, id, "claimed", { worker: "w" }),
    "p_status of a settlement": () => release(db.sql, id, "released", { worker: "w" }),
    "p_status null": () => db.sql`select release_thought(${id}, 'enrichment', 'w', null)`,
  };
  for (const [what, call] of Object.entries(cases)) {
    await t.step(what, () => assertRefused(call, what.split(" ")[0]));
  }
  assert.deepEqual(await contents(db.sql), before);
});

Deno.test("a claim during which time passes again and again is whole all the same", async () => {
  await using db = await freshDatabase();
  await testClock(db.sql);
  // Each of the first four writes takes a second.
  await db.sql.unsafe(`
    create sequence test_clock.writes;
    create function test_clock.pass() returns trigger language plpgsql as $$ begin
      if nextval('test_clock.writes') < 5 then
        perform setval('test_clock.passed_microseconds', last_value + 1000000)
          from test_clock.passed_microseconds;
      end if;
      return null;
    end $$;
    create trigger pass after insert or update on public.thought_work_claims
      for each row execute function test_clock.pass()`);
  const ids = await makeThoughts(db.sql, 1);
  assert.deepEqual(await claim(db.sql, ids, { seconds: 2 }), ids);
  const [{ left }] = await db.sql`
    select extract(epoch from ttl_expires_at - dibs.clock())::float8 as left
    from public.thought_work_claims`;
  assert.ok(left > 1.8, `${left} s are left`);
});
