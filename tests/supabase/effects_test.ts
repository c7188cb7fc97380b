import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { assertRefused, claim, enqueue } from "../support/tasks.ts";
import { claimNamed, makeThoughts } from "../support/thoughts.ts";

Deno.test("an effect is begun once, and after it was done its result comes back instead", async () => {
  await using db = await freshDatabase();
  const { fence, id } = await granted(db.sql);
  const key = `${id}:mail`;
  assert.deepEqual(await begin(db.sql, fence, id), {
    state: "go",
    result: null,
    idempotency_key: key,
  });
  assert.equal(await done(db.sql, fence, id, { message: 7 }), true);
  assert.deepEqual(await begin(db.sql, fence, id), {
    state: "done",
    result: { message: 7 },
    idempotency_key: key,
  });
  assert.equal(await done(db.sql, fence, id, { message: 8 }), false);
  assert.equal((await begin(db.sql, fence, id)).result.message, 7);
});

for (const [mode, state] of [["at_most_once", "parked"], ["provider_key", "go"]]) {
  Deno.test(`an effect cut off between begin and done is "${state}" for the next attempt with ${mode}`, async () => {
    await using db = await freshDatabase();
    const clock = await testClock(db.sql);
    const first = await granted(db.sql);
    await begin(db.sql, first.fence, first.id, mode);
    await clock.advance("1 hour");
    await db.sql`select reap_tasks()`;
    await clock.advance("1 hour");

    const second = await claimed(db.sql);
    assert.equal(second.id, first.id);
    const answer = await begin(db.sql, second.fence, second.id, mode);
    assert.deepEqual([answer.state, answer.idempotency_key], [state, `${first.id}:mail`]);
    const [{ status }] = await db.sql`select dibs_status() as status`;
    assert.equal(status.parked_effects, state === "parked" ? 1 : 0);
  });
}

Deno.test("a fence that lost the work may not begin, but may say that it was done", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const { fence, id } = await granted(db.sql);
  await begin(db.sql, fence, id);
  await clock.advance("1 hour");
  await db.sql`select reap_tasks()`;
  await assertRefused(begin(db.sql, fence, id, "at_most_once", "another"), "PT409", /lost/);
  assert.equal(await done(db.sql, fence, id, {}), true);
});

Deno.test("a lease whose time has run out begins no effect, though nobody has taken it", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const { fence, id } = await granted(db.sql);
  await clock.advance("61 s");
  await assertRefused(begin(db.sql, fence, id), "PT409", /lost/);
  assert.equal((await db.sql`select from dibs.effect`).length, 0);
});

Deno.test("a repeat of the request to begin is answered the same, also after its reply was lost", async () => {
  await using db = await freshDatabase();
  const { fence, id } = await granted(db.sql);
  const ask = async (request: string) => {
    const [{ state }] = await db.sql`
      select effect_begin(${fence}, ${id}, 'mail', p_request_id => ${request}) ->> 'state' as state`;
    return state;
  };
  assert.equal(await ask("a"), "go");
  assert.equal(await ask("a"), "go");
  assert.equal(await ask("b"), "parked");
  assert.equal(await ask("a"), "parked");
});

for (const { hours, state } of [{ hours: 5, state: "go" }, { hours: 7, state: "parked" }]) {
  Deno.test(`an effect that was begun ${hours} hours ago is "${state}" where the provider forgets keys after 6`, async () => {
    await using db = await freshDatabase();
    const clock = await testClock(db.sql);
    const first = await granted(db.sql);
    await begin(db.sql, first.fence, first.id, "provider_key");
    await clock.advance("4 hours");
    await db.sql`select reap_tasks()`;
    const second = await claimed(db.sql);
    assert.equal((await begin(db.sql, second.fence, second.id, "provider_key")).state, "go");
    await clock.advance(`${hours - 4} hours`);
    await db.sql`select reap_tasks()`;
    const third = await claimed(db.sql);
    const [{ found }] = await db.sql`
      select effect_begin(${third.fence}, ${third.id}, 'mail', 'provider_key', 6) ->> 'state' as found`;
    assert.equal(found, state);
  });
}

Deno.test("what an attempt notes late, the next one finds, also when that had begun again", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const first = await granted(db.sql);
  await begin(db.sql, first.fence, first.id, "provider_key");
  await clock.advance("1 hour");
  await db.sql`select reap_tasks()`;
  const second = await claimed(db.sql);
  assert.equal((await begin(db.sql, second.fence, second.id, "provider_key")).state, "go");
  assert.equal(await done(db.sql, first.fence, first.id, { message: 7 }), true);
  assert.deepEqual((await begin(db.sql, second.fence, second.id)).result, { message: 7 });
});

Deno.test("thoughts have effects too, each work its own", async () => {
  await using db = await freshDatabase();
  await db.sql`insert into public.thoughts (content) values ('one'), ('two')`;
  const [one, two] = await db.sql`select * from claim_next_thoughts('enrichment', 'worker', 2)`;
  assert.equal((await begin(db.sql, one.fence, one.thought_id)).state, "go");
  assert.equal((await begin(db.sql, two.fence, two.thought_id)).state, "go");
});

Deno.test("two kinds of work on one thought may name their effects alike", async () => {
  await using db = await freshDatabase();
  const [id] = await makeThoughts(db.sql, 1);
  const [one] = await claimNamed(db.sql, [id], { workType: "one" });
  const [two] = await claimNamed(db.sql, [id], { workType: "two" });
  const keys = new Set<string>();
  for (const { fence } of [one, two]) {
    const answer = await begin(db.sql, fence, id);
    assert.equal(answer.state, "go");
    keys.add(answer.idempotency_key);
  }
  assert.equal(keys.size, 2);
  assert.equal(await done(db.sql, one.fence, id, { sent: "one" }), true);
  assert.deepEqual((await begin(db.sql, one.fence, id)).result, { sent: "one" });
  assert.equal((await begin(db.sql, two.fence, id)).state, "parked");
});

Deno.test("idempotency keys are short enough for providers, and the same for each attempt", async () => {
  await using db = await freshDatabase();
  const [id] = await makeThoughts(db.sql, 1);
  const keys = new Set<string>();
  for (const _ of [1, 2]) {
    const [{ fence }] = await claimNamed(db.sql, [id], { workType: "w".repeat(100) });
    keys.add((await begin(db.sql, fence, id, "provider_key", "k".repeat(200))).idempotency_key);
    await db.sql`select release_claims_for_worker(null, 'worker')`;
  }
  assert.equal(keys.size, 1);
  assert.ok([...keys][0].length <= 255);
});

Deno.test("a thought that is deleted takes its effects along", async () => {
  await using db = await freshDatabase();
  const [id, other] = await makeThoughts(db.sql, 2);
  const [{ fence }] = await claimNamed(db.sql, [id, other]);
  await begin(db.sql, fence, id);
  await begin(db.sql, fence, other);
  await db.sql`delete from thoughts where id = ${id}`;
  assert.deepEqual((await db.sql`select id from dibs.effect`).map((row) => row.id), [other]);
});

Deno.test("bad input is refused and begins nothing", async () => {
  await using db = await freshDatabase();
  const { fence, id } = await granted(db.sql);
  await assertRefused(begin(db.sql, fence, id, "twice"), "PT400", /^p_mode/);
  await assertRefused(begin(db.sql, fence, id, "at_most_once", " "), "PT400", /^p_key/);
  await assertRefused(begin(db.sql, "1.5", id), "PT400", /^p_fence/);
  for (const hours of [0, 8761]) {
    const call = db.sql`select effect_begin(${fence}, ${id}, 'mail', 'provider_key', ${hours})`;
    await assertRefused(call, "PT400", /^p_key_hours/);
  }
  const anonymous = db.sql`select effect_begin(${fence}, ${id}, 'mail', p_request_id => ' ')`;
  await assertRefused(anonymous, "PT400", /^p_request_id/);
  await assertRefused(db.sql`select effect_begin(${fence}, null, 'mail')`, "PT400", /^p_id/);
  await assertRefused(begin(db.sql, fence, crypto.randomUUID()), "PT409", /lost/);
  assert.equal((await db.sql`select from dibs.effect`).length, 0);
});

async function granted(sql: Sql) {
  await enqueue(sql, "mail");
  return await claimed(sql);
}

async function claimed(sql: Sql) {
  const [{ fence, id }] = await claim(sql);
  return { fence, id };
}

async function begin(sql: Sql, fence: string, id: string, mode = "at_most_once", key = "mail") {
  const [{ answer }] = await sql`select effect_begin(${fence}, ${id}, ${key}, ${mode}) as answer`;
  return answer;
}

async function done(sql: Sql, fence: string, id: string, result: object): Promise<boolean> {
  const [{ noted }] = await sql`
    select effect_done(${fence}, ${id}, 'mail', ${sql.json(result as never)}) as noted`;
  return noted;
}
