import assert from "node:assert/strict";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { begin, begun, listed, parked, settleEffect } from "../support/effects.ts";
import { assertRefused, claim, enqueue, settle, statuses, testTasks } from "../support/tasks.ts";
import { claimNamed, claimsOn, makeThoughts } from "../support/thoughts.ts";

Deno.test("an effect whose attempt was cut off is listed from when it is known, and still when the next one parked it", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const { fence, id } = await begun(db.sql);
  assert.deepEqual(await listed(db.sql), [], "somebody is at it");
  await clock.advance("1 hour");
  await db.sql`select reap_tasks()`;

  const [{ begun_at, ...before }] = await listed(db.sql);
  assert.deepEqual(before, {
    id,
    type: "mail",
    work_type: null,
    key: "mail",
    mode: "at_most_once",
    idempotency_key: `${id}:mail`,
    parked_at: null,
  });
  const [again] = await claim(db.sql);
  assert.notEqual(again.fence, fence);
  assert.equal(await begin(db.sql, again.fence, id), "parked");
  const [after] = await listed(db.sql);
  assert.deepEqual(after.begun_at, begun_at);
  assert.ok(after.parked_at > begun_at);
  const [{ status }] = await db.sql`select dibs_status() as status`;
  assert.equal(status.parked_effects, 1);
});

Deno.test("what the provider drops repeats of is nobody's to decide, until it forgets", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const { id } = await begun(db.sql, "provider_key");
  await clock.advance("24 hours");
  await db.sql`select reap_tasks()`;
  assert.deepEqual(await listed(db.sql), []);
  const [{ fence }] = await claim(db.sql);
  assert.equal(await begin(db.sql, fence, id, "provider_key"), "parked");
  assert.equal((await listed(db.sql)).length, 1);
});

Deno.test("an effect of a task that was cancelled or failed in the middle of it is listed", async () => {
  await using db = await freshDatabase();
  const cancelled = await begun(db.sql);
  await db.sql`select cancel_tasks(${[cancelled.id]})`;
  const failed = await begun(db.sql);
  await settle(db.sql, failed.fence, [{ id: failed.id, status: "failed", permanent: true }]);
  assert.deepEqual((await listed(db.sql)).map(({ id }) => id), [cancelled.id, failed.id]);
});

Deno.test("the list has the oldest first, and ends where it is told to", async () => {
  await using db = await freshDatabase();
  const works = [];
  for (const _ of [1, 2, 3]) works.push(await begun(db.sql));
  await db.sql`select cancel_tasks(${works.map(({ id }) => id)})`;
  const rows = await db.sql`select id from parked_effects(2)`;
  assert.deepEqual(rows.map(({ id }) => id), works.slice(0, 2).map(({ id }) => id));
  await assertRefused(db.sql`select parked_effects(0)`, "PT400", /^p_limit/);
});

testTasks(
  "an effect that happened is passed by the next attempt, with its result",
  async ({ sql }) => {
    const { id } = await parked(sql);
    assert.deepEqual(await statuses(sql, [id]), ["failed"]);
    assert.equal(await settleEffect(sql, id, true, { message: 7 }), true);
    assert.deepEqual(await statuses(sql, [id]), ["pending"]);
    assert.deepEqual(await listed(sql), []);
    const [{ fence, attempt }] = await claim(sql);
    assert.equal(attempt, 1);
    const [{ answer }] = await sql`select effect_begin(${fence}, ${id}, 'mail') as answer`;
    assert.deepEqual([answer.state, answer.result], ["done", { message: 7 }]);
  },
);

testTasks("an effect that did not happen is done by the next attempt", async ({ sql }) => {
  const { id } = await parked(sql);
  assert.equal(await settleEffect(sql, id, false), true);
  assert.deepEqual(await listed(sql), []);
  const [{ fence }] = await claim(sql);
  assert.equal(await begin(sql, fence, id), "go");
  assert.equal(
    await begin(sql, fence, id),
    "parked",
    "from then on it is as in doubt as the first",
  );
});

testTasks("only what failed runs again", async ({ sql }) => {
  const cancelled = await begun(sql);
  await sql`select cancel_tasks(${[cancelled.id]})`;
  assert.equal(await settleEffect(sql, cancelled.id, true), false);
  const completed = await begun(sql);
  await settle(sql, completed.fence, [], "succeeded");
  assert.equal(await settleEffect(sql, completed.id, false), false);
  const waiting = await begun(sql);
  await settle(sql, waiting.fence, [], "released");
  assert.equal(await settleEffect(sql, waiting.id, true), false);
  const found = await statuses(sql, [cancelled, completed, waiting].map(({ id }) => id));
  assert.deepEqual(found, ["cancelled", "completed", "pending"]);
});

testTasks("a task with two effects in doubt waits for both answers", async ({ sql }) => {
  const { fence, id } = await begun(sql);
  await begin(sql, fence, id, "at_most_once", "card");
  await settle(sql, fence, [{ id, status: "failed", permanent: true }]);
  assert.equal(await settleEffect(sql, id, true), false);
  assert.deepEqual(await statuses(sql, [id]), ["failed"]);
  assert.equal(await settleEffect(sql, id, true, null, "card"), true);
  assert.deepEqual(await statuses(sql, [id]), ["pending"]);
});

testTasks("a task whose unique key another has by now stays failed", async ({ sql }) => {
  await enqueue(sql, "mail", 1, { unique_key: "one" });
  const [{ fence, id }] = await claim(sql);
  await begin(sql, fence, id);
  await settle(sql, fence, [{ id, status: "failed", permanent: true }]);
  await enqueue(sql, "mail", 1, { unique_key: "one" });
  assert.equal(await settleEffect(sql, id, true), false);
  assert.deepEqual(await statuses(sql, [id]), ["failed"]);
});

Deno.test("a thought that failed over an effect is claimable again once that is settled", async () => {
  await using db = await freshDatabase();
  const [id] = await makeThoughts(db.sql, 1);
  for (const workType of ["one", "two"]) {
    const [{ fence }] = await claimNamed(db.sql, [id], { workType });
    await begin(db.sql, fence, id);
    await settle(db.sql, fence, [{ id, status: "failed", permanent: true }]);
  }
  const rows = await listed(db.sql);
  assert.deepEqual(rows.map(({ type, work_type }) => [type, work_type]), [[null, "one"], [
    null,
    "two",
  ]]);
  await assertRefused(settleEffect(db.sql, id, true), "PT400", /^p_work_type/);
  assert.equal((await listed(db.sql)).length, 2, "nothing was settled");

  const [{ again }] = await db.sql`
    select settle_effect(${id}, 'mail', true, p_work_type => 'two') as again`;
  assert.equal(again, true);
  assert.deepEqual((await claimsOn(db.sql, id)).map(({ work_type }) => work_type), ["one"]);
  const [{ fence }] = await claimNamed(db.sql, [id], { workType: "two" });
  assert.equal(await begin(db.sql, fence, id), "done");
  assert.equal(await settleEffect(db.sql, id, false), true, "one is left, so it need not be named");
});

testTasks(
  "a worker that was not cut off after all settles its effect, and the task goes on",
  async ({ sql }) => {
    const { fence, id } = await begun(sql);
    await settle(sql, fence, [{ id, status: "released" }]);
    const [again] = await claim(sql);
    assert.equal(await begin(sql, again.fence, id), "parked");
    await settle(sql, again.fence, [{ id, status: "failed", permanent: true }]);
    const done = () => sql`select effect_done(${fence}, ${id}, 'mail', '{"message": 7}') as noted`;
    assert.deepEqual([(await done())[0].noted, (await done())[0].noted], [true, false]);
    assert.deepEqual(await listed(sql), []);
    assert.deepEqual(await statuses(sql, [id]), ["pending"]);
    const [third] = await claim(sql);
    const [{ answer }] = await sql`select effect_begin(${third.fence}, ${id}, 'mail') as answer`;
    assert.deepEqual([answer.state, answer.result], ["done", { message: 7 }]);
  },
);

Deno.test("what was settled may still turn out to have happened", async () => {
  await using db = await freshDatabase();
  const { fence, id } = await begun(db.sql);
  await settle(db.sql, fence, [{ id, status: "failed", permanent: true }]);
  await settleEffect(db.sql, id, false);
  assert.equal(
    (await db.sql`select effect_done(${fence}, ${id}, 'mail', '7') as noted`)[0].noted,
    true,
  );
  const [again] = await claim(db.sql);
  assert.equal(await begin(db.sql, again.fence, id), "done");
});

Deno.test("there is nothing to settle while somebody is at it, nor twice, nor of what is not there", async () => {
  await using db = await freshDatabase();
  const { fence, id } = await begun(db.sql);
  await assertRefused(settleEffect(db.sql, id, false), "PT404", /no such effect/);
  await settle(db.sql, fence, [], "failed");
  await settleEffect(db.sql, id, true);
  await assertRefused(settleEffect(db.sql, id, false), "PT404", /no such effect/);
  await assertRefused(settleEffect(db.sql, crypto.randomUUID(), true), "PT404", /no such effect/);
});

Deno.test("bad input settles nothing", async () => {
  await using db = await freshDatabase();
  const { id } = await parked(db.sql);
  const unsaid = db.sql`select settle_effect(${id}, 'mail', null)`;
  await assertRefused(unsaid, "PT400", /^p_happened/);
  await assertRefused(settleEffect(db.sql, id, false, { message: 7 }), "PT400", /^p_result/);
  assert.equal((await listed(db.sql)).length, 1);
});
