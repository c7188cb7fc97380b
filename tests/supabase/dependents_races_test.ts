// Ends of parents, and those that begin or cease to wait for them, forced to meet under every isolation.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { startBlocked } from "../support/locks.ts";
import { claim, ids, settle, statuses, testTasks } from "../support/tasks.ts";

async function put(sql: Sql, ...tasks: Record<string, unknown>[]): Promise<string[]> {
  return ids([
    ...await sql<{ id: string }[]>`select id from enqueue_tasks(${sql.json(tasks as never)})`,
  ]);
}

const claimed = async (sql: Sql) => ids(await claim(sql, { limit: 100 }));

const LEVELS = ["read committed", "repeatable read", "serializable"];
const begin = (sql: Sql, level: string) => sql.unsafe(`begin isolation level ${level}`);

/** Whether it was let in; a stricter transaction may be refused, and is then made again. */
async function unlessRefused(sql: Sql, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    assert.equal((error as { code: string }).code, "40001", String(error));
    await sql`rollback`;
    return false;
  }
}

for (const level of LEVELS) {
  testTasks(`${level}: two parents end at once, and the child is not forgotten`, async (db) => {
    const [, , child] = await put(db.sql, { type: "a" }, { type: "b" }, {
      type: "c",
      depends_on: [0, 1],
    });
    const [one, two] = [db.connect(), db.connect()];
    const grants = [
      (await claim(db.sql, { types: ["a"] }))[0],
      (await claim(db.sql, { types: ["b"] }))[0],
    ];
    await begin(one, level);
    await begin(two, level);
    // Both have looked before either ends.
    await one`select from dibs.waiting`;
    await two`select from dibs.waiting`;
    await settle(one, grants[0].fence, [], "succeeded");
    // Without waiting for the other.
    await settle(two, grants[1].fence, [], "succeeded");
    await one`commit`;
    await two`commit`;
    assert.deepEqual(await claimed(db.sql), [child]);
  });

  testTasks(`${level}: two are told at once of two parents`, async (db) => {
    const [a, b, child] = await put(db.sql, { type: "a" }, { type: "b" }, {
      type: "c",
      depends_on: [0, 1],
    });
    const [holder, one, two] = [db.connect(), db.connect(), db.connect()];
    await holder`begin`;
    await holder`select from dibs.waiting for update`;
    for (const type of ["a", "b"]) {
      const [{ fence }] = await claim(db.sql, { types: [type] });
      await settle(db.sql, fence, [], "succeeded");
    }
    await holder`commit`;
    await db.sql`delete from dibs.untold where run @> dibs.task_of(${b})`;
    await begin(one, level);
    await begin(two, level);
    await one`select from dibs.waiting, dibs.dependency`;
    await two`select from dibs.waiting, dibs.dependency`;
    await one`select dibs.tell_late()`;
    await one`commit`;
    // It sees the child as it was before.
    await db.sql`insert into dibs.untold (run, status)
      select int8multirange(int8range(dibs.task_of(${b}), dibs.task_of(${b}) + 1)), 'completed'`;
    if (
      await unlessRefused(two, () =>
        two`select dibs.decide(dibs.tell(
        int8multirange(int8range(dibs.task_of(${b}), dibs.task_of(${b}) + 1)), 'completed', true))`)
    ) await two`commit`;
    assert.deepEqual(await claimed(db.sql), [child]);
    assert.deepEqual(await statuses(db.sql, [a, b]), ["completed", "completed"]);
  });

  testTasks(`${level}: a parent ends while a child begins to wait for it`, async (db) => {
    const [a] = await put(db.sql, { type: "a" });
    const [{ fence }] = await claim(db.sql);
    const [worker, enqueuer] = [db.connect(), db.connect()];
    await begin(worker, level);
    await worker`select from dibs.dependency`;
    await enqueuer`begin`;
    const [child] = await put(enqueuer, { type: "b", depends_on: [a] });
    const settling = await startBlocked(
      db.sql,
      worker,
      (sql) => settle(sql, fence, [], "succeeded"),
    );
    await enqueuer`commit`;
    await settling.done;
    await worker`commit`;
    assert.deepEqual(await claimed(db.sql), [child]);
  });

  testTasks(`${level}: a child begins to wait while its parent ends`, async (db) => {
    const [a] = await put(db.sql, { type: "a" });
    const [{ fence }] = await claim(db.sql);
    const [worker, enqueuer] = [db.connect(), db.connect()];
    await begin(enqueuer, level);
    await enqueuer`select from dibs.dependency`;
    await worker`begin`;
    await settle(worker, fence, [], "succeeded");
    const enqueuing = await startBlocked(
      db.sql,
      enqueuer,
      (sql) => put(sql, { type: "b", depends_on: [a] }),
    );
    await worker`commit`;
    if (await unlessRefused(enqueuer, () => enqueuing.done)) await enqueuer`commit`;
    else await put(db.sql, { type: "b", depends_on: [a] });
    assert.equal((await claimed(db.sql)).length, 1);
  });

  testTasks(`${level}: a child begins to wait for a task that is claimed meanwhile`, async (db) => {
    const [a] = await put(db.sql, { type: "a" });
    const [worker, enqueuer] = [db.connect(), db.connect()];
    await begin(enqueuer, level);
    await enqueuer`select from dibs.dependency`;
    await worker`begin`;
    const [{ fence }] = await claim(worker);
    const enqueuing = await startBlocked(
      db.sql,
      enqueuer,
      (sql) => put(sql, { type: "b", depends_on: [a] }),
    );
    await worker`commit`;
    if (await unlessRefused(enqueuer, () => enqueuing.done)) {
      const settling = await startBlocked(
        db.sql,
        worker,
        (sql) => settle(sql, fence, [], "succeeded"),
      );
      await enqueuer`commit`;
      await settling.done;
    } else {
      await put(db.sql, { type: "b", depends_on: [a] });
      await settle(db.sql, fence, [], "succeeded");
    }
    assert.equal((await claimed(db.sql)).length, 1);
  });

  testTasks(`${level}: while a child begins to wait, claims pass its parent by`, async (db) => {
    const [a] = await put(db.sql, { type: "a" });
    const [other, enqueuer] = [db.connect(), db.connect()];
    await begin(enqueuer, level);
    await put(enqueuer, { type: "b", depends_on: [a] });
    assert.deepEqual(ids(await claim(other)), []);
    await enqueuer`rollback`;
    assert.deepEqual(ids(await claim(other)), [a]);
  });
}

testTasks(
  "whoever cancels a child and whoever ends its parent do not wait for each other",
  async (db) => {
    const [, child] = await put(db.sql, { type: "a" }, { type: "b", depends_on: [0] });
    const [{ fence }] = await claim(db.sql);
    const canceller = db.connect();
    await canceller`begin`;
    await canceller`select cancel_tasks(array[${child}::uuid])`;
    await settle(db.sql, fence, [], "succeeded");
    await canceller`rollback`;
    assert.deepEqual(await claimed(db.sql), [child]);
  },
);
