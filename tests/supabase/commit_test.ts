// Writes of a user's own SQL function that count only while its lease lives, and with the completion.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase, type TestDatabase } from "../support/database.ts";
import {
  claimLetters,
  completeBy,
  lettersOf,
  makeLetters,
  type Surface,
} from "../support/letters.ts";
import { assertRefused, renew, settle, statuses } from "../support/tasks.ts";
import { claimsOn } from "../support/thoughts.ts";

for (const surface of ["tasks", "thoughts"] as const) {
  const test = (name: string, run: (db: TestDatabase, sql: Sql) => Promise<void>) =>
    Deno.test(`${surface}: ${name}`, async () => {
      await using db = await freshDatabase();
      await makeLetters(db.sql);
      await run(db, db.as("service_role"));
    });

  test("a function's writes, the result and the completion come together", async (db, sql) => {
    const { fence, ids: [id, other] } = await claimLetters(sql, surface, 2);
    await completeBy(sql, fence, id, { pages: 3 });
    assert.deepEqual(await lettersOf(sql), [id]);
    assert.deepEqual(await stateOf(db.sql, surface, id), { state: "done", result: { pages: 3 } });
    assert.deepEqual(await stateOf(db.sql, surface, other), { state: "held", result: null });
    assert.deepEqual(await settle(sql, fence, [], "succeeded"), { settled: 1, lost: [] });
  });

  test("a repeat is refused and writes nothing, and can be told from a loss", async (_, sql) => {
    const { fence, ids: [id, other] } = await claimLetters(sql, surface, 2);
    assert.equal(await wasCompleted(sql, fence, id), false);
    await completeBy(sql, fence, id);
    await assertRefused(completeBy(sql, fence, id), "PT409", /^lost/);
    await assertRefused(sql`select complete_with_result(${fence}, ${id})`, "PT409", /^lost/);
    assert.deepEqual(await lettersOf(sql), [id]);
    assert.equal(await wasCompleted(sql, fence, id), true);
    assert.equal(await wasCompleted(sql, fence, other), false);
    assert.equal(await wasCompleted(sql, "999", id), false);
  });

  test("what the loop settles as well is settled once", async (_, sql) => {
    const { fence, ids: [id] } = await claimLetters(sql, surface, 1);
    await completeBy(sql, fence, id);
    const succeeded = await settle(sql, fence, [{ id, status: "succeeded" }]);
    assert.deepEqual(succeeded, { settled: 1, lost: [] });
    const failed = await settle(sql, fence, [{ id, status: "failed" }]);
    assert.deepEqual(failed, { settled: 0, lost: [id] });
  });

  test(
    "when its time has run out nothing is written, though nobody has taken it",
    async (db, sql) => {
      const clock = await testClock(db.sql);
      const { fence, ids: [id] } = await claimLetters(sql, surface, 1);
      await clock.advance("61 s");
      await assertRefused(completeBy(sql, fence, id), "PT409", /^lost/);
      await assertRefused(sql`select assert_lease(${fence})`, "PT409", /^lost/);
      assert.deepEqual(await lettersOf(sql), []);
      assert.deepEqual(await renew(sql, fence), [id], "a heartbeat revives what nobody took");
      await completeBy(sql, fence, id);
      assert.deepEqual(await lettersOf(sql), [id]);
    },
  );

  test("a function that was in time may take longer than its lease", async (db, sql) => {
    const clock = await testClock(db.sql);
    const { fence, ids: [id] } = await claimLetters(sql, surface, 1);
    await sql`begin`;
    await sql`select assert_lease(${fence}, ${id})`;
    await clock.advance("1 hour");
    await sql`select complete_with_result(${fence}, ${id})`;
    await sql`commit`;
    assert.equal((await stateOf(db.sql, surface, id)).state, "done");
  });

  test(
    "when the function fails, its writes and the completion go back together",
    async (db, sql) => {
      const { fence, ids: [id] } = await claimLetters(sql, surface, 1);
      await sql`begin`;
      await completeBy(sql, fence, id);
      await assert.rejects(async () => await sql`select 1 / 0`, /division by zero/);
      await sql`rollback`;
      assert.deepEqual(await lettersOf(sql), []);
      assert.equal((await stateOf(db.sql, surface, id)).state, "held");
      assert.equal(await wasCompleted(sql, fence, id), false);
    },
  );

  test("a lease is asserted as a whole too, as long as it holds something", async (_, sql) => {
    const { fence, ids } = await claimLetters(sql, surface, 2);
    await sql`select assert_lease(${fence})`;
    for (const id of ids) await completeBy(sql, fence, id);
    await assertRefused(sql`select assert_lease(${fence})`, "PT409", /^lost/);
  });

  test("an id the fence does not hold is refused", async (_, sql) => {
    const { fence } = await claimLetters(sql, surface, 1);
    const { ids: [foreign] } = await claimLetters(sql, surface, 1);
    for (const id of [foreign, crypto.randomUUID()]) {
      await assertRefused(sql`select assert_lease(${fence}, ${id})`, "PT409", /^lost/);
      await assertRefused(sql`select complete_with_result(${fence}, ${id})`, "PT409", /^lost/);
    }
  });
}

Deno.test("a result merged into a thought has to be an object, and leaves the rest of it alone", async () => {
  await using db = await freshDatabase();
  await makeLetters(db.sql);
  const { fence, ids: [id] } = await claimLetters(db.sql, "thoughts", 1);
  await db.sql`update thoughts set metadata = '{"kept": 1}' where id = ${id}`;
  await assertRefused(completeBy(db.sql, fence, id, [1]), "PT400", /^p_result/);
  await completeBy(db.sql, fence, id, { added: 2 });
  const [{ metadata }] = await db.sql`select metadata from thoughts where id = ${id}`;
  assert.deepEqual(metadata, { kept: 1, added: 2 });
});

Deno.test("without a result the completion is as good", async () => {
  await using db = await freshDatabase();
  await makeLetters(db.sql);
  for (const surface of ["tasks", "thoughts"] as const) {
    const { fence, ids: [id] } = await claimLetters(db.sql, surface, 1);
    await db.sql`select complete_with_result(${fence}, ${id})`;
    assert.equal((await stateOf(db.sql, surface, id)).state, "done");
  }
});

Deno.test("bad fences and no ids are refused as such", async () => {
  await using db = await freshDatabase();
  const id = crypto.randomUUID();
  await assertRefused(db.sql`select assert_lease('1.5')`, "PT400", /^p_fence/);
  await assertRefused(db.sql`select complete_with_result(null, ${id})`, "PT400", /^p_fence/);
  await assertRefused(db.sql`select complete_with_result('1', null)`, "PT400", /^p_id/);
  await assertRefused(db.sql`select was_completed('x', ${id})`, "PT400", /^p_fence/);
});

async function wasCompleted(sql: Sql, fence: string, id: string): Promise<boolean> {
  const [{ completed }] = await sql`select was_completed(${fence}, ${id}) as completed`;
  return completed;
}

async function stateOf(sql: Sql, surface: Surface, id: string) {
  if (surface === "tasks") {
    const [status] = await statuses(sql, [id]);
    const [{ result }] = await sql`select result from tasks where id = ${id}`;
    return { state: status === "completed" ? "done" : "held", result };
  }
  const [{ status }] = await claimsOn(sql, id);
  const [{ metadata }] = await sql`select metadata from thoughts where id = ${id}`;
  const result = Object.keys(metadata).length > 0 ? metadata : null;
  return { state: status === "succeeded" ? "done" : "held", result };
}
