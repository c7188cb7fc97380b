import assert from "node:assert/strict";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { claim, claimNamed, claimsOn, makeThoughts, release, settle } from "../support/thoughts.ts";

Deno.test("any claim call takes expired claims of its work type away, even with no ids", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const clock = await testClock(db.sql);
  const ids = await makeThoughts(db.sql, 4);
  await claim(service, ids.slice(0, 3), { seconds: 10 });
  await claim(service, ids.slice(3), { seconds: 60 });
  await claim(service, ids.slice(0, 1), { seconds: 10, workType: "other" });
  await clock.advance("10 s");
  assert.deepEqual(await claim(service, []), []);
  assert.deepEqual(
    (await claimsOn(db.sql)).map((row) => [row.thought_id, row.work_type]),
    [[ids[0], "other"], [ids[3], "enrichment"]],
  );
});

Deno.test("no expired claim is left, however many there are", async () => {
  await using db = await freshDatabase();
  await makeThoughts(db.sql, 12_000);
  await db.sql`
    insert into thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at)
    select id, 'enrichment', 'gone', now() - interval '1 s' from thoughts`;
  assert.deepEqual(await claim(db.as("service_role"), []), []);
  assert.deepEqual(await claimsOn(db.sql), []);
});

Deno.test("a worker that stops when it finds no candidate still finishes expired ones", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const ids = await makeThoughts(db.sql, 5);
  await claim(db.sql, ids, { worker: "killed", seconds: 10 });
  await clock.advance("10 s");
  const candidates = async () => {
    const rows = await db.sql`
      select id from thoughts t where not exists (
        select from thought_work_claims c where c.thought_id = t.id and work_type = 'enrichment')
      order by id`;
    return rows.map(({ id }) => id);
  };
  assert.deepEqual(await candidates(), []);
  await claim(db.sql, [], { worker: "another" });
  assert.deepEqual(await candidates(), ids);
});

Deno.test("attempts are counted across reaping", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const [id] = await makeThoughts(db.sql, 1);
  for (const attempt of [1, 2, 3]) {
    const [granted] = await claimNamed(db.sql, [id], { seconds: 1, worker: `w${attempt}` });
    assert.equal(granted.attempt, attempt);
    await clock.advance("1 s");
    await claim(db.sql, []);
    assert.deepEqual(await claimsOn(db.sql), []);
  }
  await claim(db.sql, [id]);
  const [{ attempt_count, last_error }] = await claimsOn(db.sql);
  assert.deepEqual([attempt_count, last_error], [4, "the lease of w3 ran out in attempt 3 of 5"]);
});

Deno.test("a claim that a client inserted itself counts as an attempt when it expires", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql, { stopped: true });
  const [id] = await makeThoughts(db.sql, 1);
  for (const attempt of [1, 3]) {
    const [granted] = await claimNamed(db.sql, [id], { seconds: 1 });
    assert.equal(granted.attempt, attempt);
    await clock.advance("1 s");
    await claim(db.sql, []);
    await db.sql`
      insert into thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at)
      values (${id}, 'enrichment', 'client', dibs.clock() + interval '1 s')`;
    await clock.advance("1 s");
  }
});

Deno.test("a thought that keeps losing its worker is quarantined after its last attempt", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  const clock = await testClock(db.sql);
  const [poison, fine] = await makeThoughts(db.sql, 2);
  for (const attempt of [1, 2]) {
    const granted = await claimNamed(service, [poison, fine], { seconds: 1, maxAttempts: 2 });
    assert.equal(granted.length, 2);
    if (attempt === 2) await settle(service, granted[1].fence, [{ id: fine, status: "succeeded" }]);
    await clock.advance("1 s");
  }
  assert.deepEqual(await claimNamed(service, [poison, fine], { maxAttempts: 2 }), []);
  const quarantined = await service`select * from quarantined_thoughts('enrichment')`;
  assert.deepEqual(
    quarantined.map((row) => [row.thought_id, row.attempt_count, row.last_error]),
    [[poison, 2, "the lease of worker ran out in attempt 2 of 2"]],
  );
  assert.equal((await db.sql`select from dibs.thought_attempt`).length, 0);
});

Deno.test("a claim without a cap on attempts always comes back", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const [id] = await makeThoughts(db.sql, 1);
  for (let attempt = 1; attempt <= 12; attempt++) {
    assert.deepEqual(await claim(db.sql, [id], { seconds: 1 }), [id]);
    await clock.advance("1 s");
  }
  assert.equal((await claimsOn(db.sql))[0].attempt_count, 12);
});

Deno.test("success forgets the attempts, so that a cleared thought begins anew", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const [id] = await makeThoughts(db.sql, 1);
  await claim(db.sql, [id], { seconds: 1 });
  await clock.advance("1 s");
  await claim(db.sql, []);
  await claim(db.sql, [id]);
  await release(db.sql, id, "succeeded");
  await db.sql`delete from thought_work_claims where status = 'succeeded'`;
  const [granted] = await claimNamed(db.sql, [id]);
  assert.equal(granted.attempt, 1);
});

Deno.test("maintenance reaps every work type", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  const ids = await makeThoughts(db.sql, 2);
  for (const workType of ["a", "b", "c"]) await claim(db.sql, ids, { workType, seconds: 1 });
  await claim(db.sql, ids, { workType: "d", seconds: 100 });
  await clock.advance("1 s");
  const [{ reaped }] = await db.as("service_role")`select dibs.reap_thoughts() as reaped`;
  assert.equal(reaped, 6);
  assert.deepEqual(new Set((await claimsOn(db.sql)).map((row) => row.work_type)), new Set(["d"]));
});
