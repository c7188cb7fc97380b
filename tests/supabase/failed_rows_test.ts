import assert from "node:assert/strict";
import type { Row, Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { settle } from "../support/tasks.ts";
import { assertRefused } from "../support/tasks.ts";
import { claimNext, idsOf, makeThoughts, WORK } from "../support/thoughts.ts";

/** Lets work on all thoughts that can be had fail; returns their ids. */
async function fail(sql: Sql, error: string, permanent = false): Promise<string[]> {
  const granted = await claimNext(sql, 100, { maxAttempts: 1 });
  const ids = idsOf(granted);
  await settle(
    sql,
    granted[0].fence,
    ids.map((id) => ({ id, status: "failed", error, permanent })),
  );
  return ids;
}

const list = async (sql: Sql, filter: object = {}, limit = 100, cursor: string | null = null) => [
  ...await sql`select * from failed_rows('thoughts', ${WORK}, ${
    sql.json(filter as never)
  }, ${limit}, ${cursor})`,
];

async function redrive(sql: Sql, filter: object, { perSecond = null, dry = false, limit = 1000 }: {
  perSecond?: number | null;
  dry?: boolean;
  limit?: number;
} = {}): Promise<Row> {
  const [{ answer }] = await sql`
    select redrive_rows('thoughts', ${WORK}, ${
    sql.json(filter as never)
  }, ${perSecond}, null, ${dry}, ${limit}) as answer`;
  return answer;
}

Deno.test("failed thoughts are listed page by page, the latest first, by a filter", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql, { stopped: true });
  await makeThoughts(db.sql, 5);
  const old = await fail(db.sql, "503");
  await clock.advance("1 s");
  await makeThoughts(db.sql, 2);
  const young = await fail(db.sql, "404", true);
  const first = await list(db.sql, {}, 4);
  const second = await list(db.sql, {}, 4, first[3].cursor);
  assert.deepEqual(
    [...first, ...second].map(({ id }) => id),
    [...old.toSorted(), ...young.toSorted()].toReversed(),
  );
  assert.deepEqual([first[0].error, first[0].attempts], ["404", 1]);
  assert.equal((await list(db.sql, { error: "5%" })).length, 5);
  assert.equal((await list(db.sql, { ids: [old[0]] })).length, 1);
  assert.equal((await list(db.sql, { failed_after: "2099-01-01T00:00:00Z" })).length, 0);
});

Deno.test("redriven thoughts are claimed as if never tried, once they are due", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql, { stopped: true });
  await makeThoughts(db.sql, 25);
  const failed = await fail(db.sql, "503");
  assert.equal((await redrive(db.sql, { error: "503" }, { dry: true })).rows, 25);
  assert.equal((await list(db.sql)).length, 25, "that was a dry run");
  const answer = await redrive(db.sql, { error: "503" }, { perSecond: 10 });
  assert.deepEqual([answer.rows, answer.more, answer.sample.length], [25, false, 10]);
  assert.deepEqual(await list(db.sql), []);
  const due = [];
  for (let second = 0; second < 4; second++) {
    due.push(await claimNext(db.sql, 100, { maxAttempts: 1 }));
    await clock.advance("1 s");
  }
  assert.deepEqual(due.map(({ length }) => length), [10, 10, 5, 0]);
  assert.deepEqual(idsOf(due.flat()).toSorted(), failed.toSorted());
  assert.ok(due.flat().every(({ attempt }) => attempt === 1));
});

Deno.test("a redrive does no more than its limit, and leaves what others have locked", async () => {
  await using db = await freshDatabase();
  await makeThoughts(db.sql, 5);
  const failed = await fail(db.sql, "no");
  const all = { statuses: ["failed"] };
  const one = await redrive(db.sql, all, { limit: 3 });
  assert.deepEqual([one.rows, one.more], [3, true]);
  const other = db.connect();
  await other`begin`;
  const [left] = await list(db.sql);
  await other`select from thought_work_claims where thought_id = ${left.id} for update`;
  const two = await redrive(db.sql, all);
  assert.deepEqual([two.rows, two.more], [1, true]);
  await other`rollback`;
  assert.equal((await redrive(db.sql, all)).rows, 1);
  assert.equal((await claimNext(db.sql, 100)).length, failed.length);
});

Deno.test("a filter of thoughts that is empty, unknown or wrong is refused by name", async () => {
  await using db = await freshDatabase();
  const bad: [object, RegExp][] = [
    [{}, /^p_filter must be an object with a field/],
    [{ types: ["a"] }, /^p_filter\.types /],
    [{ ids: ["a"] }, /^p_filter\.ids /],
    [{ error: "\\" }, /^p_filter\.error /],
    [{ failed_before: "now" }, /^p_filter\.failed_before /],
    [{ statuses: ["succeeded"] }, /^p_filter\.statuses /],
  ];
  for (const [filter, message] of bad) {
    await assertRefused(redrive(db.sql, filter), "PT400", message);
  }
  await assertRefused(redrive(db.sql, { error: "x" }, { perSecond: -1 }), "PT400", /p_per_second/);
  await assertRefused(list(db.sql, {}, 4, "x"), "PT400", /p_cursor/);
});
