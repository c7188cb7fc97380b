// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { assertRefused, claim, enqueue, settle, testTasks } from "../support/tasks.ts";

const look = (sql: Sql) => sql`select dibs.take_look()`;

/** Ends some tasks of a type that ran for so long, and enqueues one more. */
async function work(sql: Sql, type: string, count: number): Promise<void> {
  await enqueue(sql, type, count);
  const [{ fence }] = await claim(sql, { types: [type], limit: count });
  await settle(sql, fence, [], "succeeded");
}

testTasks("statistics are told by step and type, oldest first", async ({ sql, as }) => {
  const clock = await testClock(sql);
  await look(sql);
  await work(sql, "mail", 3);
  await clock.advance("10 minutes");
  await work(sql, "mail", 2);
  await work(sql, "image", 4);
  await look(sql);
  const service = as("service_role");
  const told = async (step: string, type: string | null = null) =>
    (await service`
      select extract(epoch from at) as at, type, completed::int from task_statistics('1 hour', ${step}, ${type})
      where completed > 0`).map(({ type, completed }) => [type, completed]);
  assert.deepEqual(await told("1 minute"), [["mail", 3], ["image", 4], ["mail", 2]]);
  assert.deepEqual(await told("1 minute", "mail"), [["mail", 3], ["mail", 2]]);
  assert.deepEqual(await told("1 minute", "no such"), []);
  const days = await sql`select type, at, completed::int from task_statistics('1 day', '1 day')`;
  const byType: Record<string, number> = {};
  for (const { type, at, completed } of days) {
    assert.equal(at.getTime() % 86_400_000, 0);
    byType[type] = (byType[type] ?? 0) + completed;
  }
  assert.deepEqual(byType, { image: 4, mail: 5 });
});

testTasks("attempts under way are told as claimed, also of several types", async ({ sql }) => {
  await look(sql);
  await enqueue(sql, "mail", 3);
  await enqueue(sql, "image", 1);
  await claim(sql, { limit: 4 });
  await claim(sql, { types: ["mail"] });
  const claimed = await sql`
    select type, sum(claimed)::int as claimed, sum(enqueued)::int as enqueued from task_statistics()
    group by type order by type`;
  assert.deepEqual([...claimed], [
    { type: "image", claimed: 1, enqueued: 0 },
    { type: "mail", claimed: 3, enqueued: 0 },
  ]);
});

testTasks(
  "percentiles are within nine per cent, null where nothing was measured",
  async ({ sql }) => {
    const clock = await testClock(sql, { stopped: true });
    await look(sql);
    await enqueue(sql, "mail", 100);
    await clock.advance("5 s");
    for (let n = 1; n <= 100; n++) {
      const [{ fence }] = await claim(sql);
      await clock.advance(`${n} ms`);
      await settle(sql, fence, [], "succeeded");
    }
    await look(sql);
    const [row] =
      await sql`select * from task_statistics('1 hour', '30 minutes') where completed > 0`;
    for (
      const [name, ms] of Object.entries({ run_p50_ms: 50, run_p99_ms: 99, wait_p50_ms: 6275 })
    ) {
      assert(Math.abs(row[name] / ms - 1) < 0.1, `${name} is ${row[name]}`);
    }
    const [none] =
      await sql`select run_p50_ms, wait_p99_ms from task_statistics() where completed = 0`;
    assert.deepEqual(none ?? { run_p50_ms: null, wait_p99_ms: null }, {
      run_p50_ms: null,
      wait_p99_ms: null,
    });
  },
);

testTasks("of what is older than a day the hours are told", async ({ sql }) => {
  const clock = await testClock(sql);
  await look(sql);
  await work(sql, "mail", 3);
  await look(sql);
  for (const passed of ["1 hour", "21 hours", "2 hours", "1 day"]) {
    await clock.advance(passed);
    await work(sql, "other", 1);
    await look(sql);
    const [{ completed }] = await sql`
      select sum(completed)::int as completed from task_statistics('10 days', '10 minutes', 'mail')`;
    assert.equal(completed, 3, `${passed} later`);
  }
});

testTasks("totals grow, and tell histograms as counters", async ({ sql, as }) => {
  const clock = await testClock(sql, { stopped: true });
  assert.deepEqual([...await sql`select * from task_totals()`], []);
  await look(sql);
  await enqueue(sql, "mail", 3);
  await clock.advance("2 s");
  const [{ fence }] = await claim(sql, { limit: 3 });
  await clock.advance("10 ms");
  await settle(sql, fence, [], "succeeded");
  await look(sql);
  const [row] = await as("service_role")`select * from task_totals()`;
  assert.deepEqual([row.type, row.enqueued, row.claimed, row.completed], ["mail", "3", "3", "3"]);
  const bounds = Array.from({ length: 13 }, (_, n) => 4 ** n);
  assert.deepEqual(row.run, {
    sum_ms: 30,
    count: 3,
    buckets: bounds.map((ms) => [ms, ms < 10 ? 0 : 3]),
  });
  assert.deepEqual(row.wait, {
    sum_ms: 6000,
    count: 3,
    buckets: bounds.map((ms) => [ms, ms < 2000 ? 0 : 3]),
  });
});

Deno.test("bad input is refused", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  for (const since of [null, "0 s", "-1 hour"]) {
    await assertRefused(sql`select task_statistics(${since})`, "PT400", /^p_since/);
  }
  for (const step of [null, "0 s", "59 s", "1 month", "1 year", "-1 hour"]) {
    await assertRefused(sql`select task_statistics('1 day', ${step})`, "PT400", /^p_step/);
  }
  await sql`select task_statistics('1000000 years', '1 week')`;
});
