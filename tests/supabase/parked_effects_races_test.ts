import assert from "node:assert/strict";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { begin, parked, settleEffect } from "../support/effects.ts";
import { startBlocked } from "../support/locks.ts";
import { assertRefused, settle, statuses, testTasks } from "../support/tasks.ts";
import { claimNamed, makeThoughts } from "../support/thoughts.ts";

testTasks(
  "an effect is settled after the pruning that is at its task, and the other way round",
  async (db) => {
    const clock = await testClock(db.sql);
    const [pruned, kept] = [await parked(db.sql), await parked(db.sql)];
    await clock.advance("1 day");
    const [pruning, settling] = [db.connect(), db.connect()];
    // In two steps, as prune_tasks goes: whoever settles must not stand between them.
    const task = db
      .sql`int8multirange(int8range(dibs.task_of(${pruned.id}), dibs.task_of(${pruned.id}) + 1))`;
    await pruning`begin`;
    await pruning`delete from dibs.outcome where run && ${task}`;
    const late = await startBlocked(db.sql, settling, (sql) => settleEffect(sql, pruned.id, true));
    await pruning`select dibs.forget(${task})`;
    await pruning`commit`;
    await assertRefused(late.done, "PT404", /no such effect/);

    await settling`begin`;
    await settleEffect(settling, kept.id, true);
    assert.equal((await pruning`select prune_tasks('1 hour') as n`)[0].n, "0");
    await settling`commit`;
    assert.deepEqual(await statuses(db.sql, [kept.id]), ["pending"]);
  },
);

Deno.test("an effect is settled after the deletion that is at its thought, and the other way round", async () => {
  await using db = await freshDatabase();
  const [deleted, kept] = await makeThoughts(db.sql, 2);
  for (const { fence, thought_id: id } of await claimNamed(db.sql, [deleted, kept])) {
    await begin(db.sql, fence, id);
    await settle(db.sql, fence, [{ id, status: "failed", permanent: true }]);
  }
  const [deleting, settling] = [db.connect(), db.connect()];
  // In two steps, as a deletion goes: the thought, then what hangs on it.
  await deleting`begin`;
  await deleting`select from thoughts where id = ${deleted} for update`;
  const late = await startBlocked(db.sql, settling, (sql) => settleEffect(sql, deleted, true));
  await deleting`delete from thoughts where id = ${deleted}`;
  await deleting`commit`;
  await assertRefused(late.done, "PT404", /no such effect/);

  await settling`begin`;
  await settleEffect(settling, kept, true);
  const { done } = await startBlocked(
    db.sql,
    deleting,
    (sql) => sql`delete from thoughts where id = ${kept}`,
  );
  await settling`commit`;
  await done;
  assert.equal((await db.sql`select from dibs.effect`).length, 0);
});
