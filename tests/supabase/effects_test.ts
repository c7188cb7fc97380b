import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { assertRefused, claim, enqueue } from "../support/tasks.ts";

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

Deno.test("thoughts have effects too, each work its own", async () => {
  await using db = await freshDatabase();
  await db.sql`insert into public.thoughts (content) values ('one'), ('two')`;
  const [one, two] = await db.sql`select * from claim_next_thoughts('enrichment', 'worker', 2)`;
  assert.equal((await begin(db.sql, one.fence, one.thought_id)).state, "go");
  assert.equal((await begin(db.sql, two.fence, two.thought_id)).state, "go");
});

Deno.test("bad input is refused and begins nothing", async () => {
  await using db = await freshDatabase();
  const { fence, id } = await granted(db.sql);
  await assertRefused(begin(db.sql, fence, id, "twice"), "PT400", /^p_mode/);
  await assertRefused(begin(db.sql, fence, id, "at_most_once", " "), "PT400", /^p_key/);
  await assertRefused(begin(db.sql, "1.5", id), "PT400", /^p_fence/);
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
