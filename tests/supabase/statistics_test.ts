// On PostgreSQL 15, too.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { claim, enqueue, enqueueSingles, settle, testTasks } from "../support/tasks.ts";

const look = (sql: Sql) => sql`select dibs.take_look()`;

testTasks(
  "a look notes what happened since the last, in its minute, its hour, and for ever",
  async ({ sql }) => {
    const clock = await testClock(sql);
    await enqueue(sql, "old", 5);
    await look(sql);
    assert.deepEqual(await ever(sql), {}, "what was there before the first look");

    await enqueue(sql, "mail", 5);
    await enqueueSingles(sql, "note", 2);
    const granted = await claim(sql, { types: ["mail"], limit: 5 });
    await clock.advance("8 s");
    await settle(sql, granted[0].fence, [
      { id: granted[0].id, status: "failed" },
      { id: granted[1].id, status: "failed", permanent: true },
      { id: granted[2].id, status: "released" },
    ], "succeeded");
    await sql`select cancel_tasks(${[granted[2].id]})`;
    await look(sql);
    const expected = {
      mail: { enqueued: 5, claimed: 4, completed: 2, attempts_failed: 2, failed: 1, cancelled: 1 },
      note: { enqueued: 2 },
    };
    assert.deepEqual(await ever(sql), expected);
    await look(sql);
    assert.deepEqual(await ever(sql), expected, "counted once");
    const spans = await sql`
    select span, sum(completed)::int as completed, bool_and(at = date_bin(
      case span when 'minute' then '1 minute' else '1 hour'::interval end, at, 'epoch')) as aligned
    from dibs.statistic where span <> 'ever' group by span order by span`;
    assert.deepEqual([...spans], [
      { span: "hour", completed: 2, aligned: true },
      { span: "minute", completed: 2, aligned: true },
    ]);
  },
);

testTasks(
  "how long tasks waited and ran is noted, of first attempts and of all",
  async ({ sql }) => {
    const clock = await testClock(sql, { stopped: true });
    await look(sql);
    await enqueue(sql, "mail", 10);
    await clock.advance("10 s");
    const [{ fence }] = await claim(sql, { limit: 4 });
    await clock.advance("100 ms");
    await settle(sql, fence, [], "succeeded");
    await clock.advance("30 s");
    const [failing] = await claim(sql);
    await settle(sql, failing.fence, [], "failed");
    await look(sql);
    await clock.advance("30 s");
    const again = await claim(sql, { limit: 9 });
    await clock.advance("1 s");
    await settle(sql, again[0].fence, [], "succeeded");
    await look(sql);
    const [{ wait, run, wait_ms, run_ms }] = await sql`
    select wait, run, wait_ms, run_ms from dibs.statistic where span = 'ever' and type = 'mail'`;
    const bucket = (ms: number) => String(Math.floor(4 * Math.log2(ms)));
    assert.deepEqual(
      wait,
      { [bucket(10_000)]: 4, [bucket(40_100)]: 1 },
      "not of a run with a second attempt",
    );
    assert.deepEqual(run, { [bucket(100)]: 4, [bucket(0.0625)]: 1, [bucket(1000)]: 6 });
    assert.deepEqual([Math.round(wait_ms), Math.round(run_ms)], [
      4 * 10_000 + 40_100,
      4 * 100 + 6 * 1000,
    ]);
  },
);

testTasks(
  "tasks claimed together are noted by their types, and lost attempts as failed",
  async (db) => {
    const { sql } = db;
    const clock = await testClock(sql);
    await look(sql);
    await enqueue(sql, "a", 3);
    await enqueue(sql, "b", 2);
    const [{ fence }] = await claim(sql, { limit: 5 });
    await settle(sql, fence, [], "succeeded");
    await enqueue(sql, "a", 1);
    await claim(sql, { seconds: 5 });
    await clock.advance("6 s");
    await sql`select dibs.tick()`;
    await look(sql);
    assert.deepEqual(await ever(sql), {
      a: { enqueued: 4, claimed: 4, completed: 3, attempts_failed: 1 },
      b: { enqueued: 2, claimed: 2, completed: 2 },
    });
  },
);

testTasks("what is replaced, retried or moved is not counted again", async ({ sql }) => {
  await look(sql);
  const options = { unique_key: "k", unique_mode: "replace" };
  await enqueue(sql, "mail", 1, options);
  const tasks = await enqueue(sql, "mail", 4);
  await look(sql);
  await enqueue(sql, "mail", 1, options);
  await sql`select cancel_tasks(${tasks})`;
  await look(sql);
  await sql`select retry_tasks(${tasks.slice(0, 1)})`;
  await sql`select dibs.sort_ended()`;
  await look(sql);
  assert.deepEqual(await ever(sql), { mail: { enqueued: 5, cancelled: 4 } });
});

testTasks("where nothing ticked for an hour, everything is noted when it happened", async (db) => {
  const { sql, connect } = db;
  const clock = await testClock(sql);
  await look(sql);
  await enqueueSingles(sql, "mail", 6);
  const late = connect();
  await late`begin`;
  for (let n = 0; n < 3; n++) {
    const [{ fence }] = await claim(n === 0 ? late : sql, { limit: 2 });
    await settle(n === 0 ? late : sql, fence, [], "succeeded");
    await clock.advance("30 minutes");
  }
  await look(sql);
  const minutes = async () =>
    (await sql`select completed::int from dibs.statistic where span = 'minute' and completed > 0 order by at`)
      .map(({ completed }) => completed);
  assert.deepEqual(await minutes(), [2, 2]);
  await late`commit`;
  await look(sql);
  assert.deepEqual(await minutes(), [2, 2, 2]);
  assert.deepEqual(await ever(sql), { mail: { enqueued: 6, claimed: 6, completed: 6 } });
});

testTasks(
  "minutes stay for a day, hours as long as the settings say, sums for ever",
  async ({ sql }) => {
    const clock = await testClock(sql);
    await sql`select dibs.configure('keep_statistics', '2 days')`;
    await look(sql);
    const [task] = await enqueue(sql, "mail");
    await sql`select cancel_tasks(${[task]})`;
    await look(sql);
    const spans = async () =>
      (await sql`select distinct span from dibs.statistic where cancelled > 0 order by span`).map((
        { span },
      ) => span);
    assert.deepEqual(await spans(), ["ever", "hour", "minute"]);
    await clock.advance("24 hours 1 minute");
    await look(sql);
    assert.deepEqual(await spans(), ["ever", "hour"]);
    await clock.advance("25 hours");
    await look(sql);
    assert.deepEqual(await spans(), ["ever"]);
  },
);

testTasks("histograms are added bucket by bucket", async ({ sql }) => {
  const [{ sum, none }] = await sql`
    select dibs.add_histograms('{"-3": 1, "4": 2}', '{"4": 5, "10": 1}') as sum,
      dibs.add_histograms('{}', '{}') as none`;
  assert.deepEqual([sum, none], [{ "-3": 1, "4": 7, "10": 1 }, {}]);
});

/** The counters of each type that are not zero. */
async function ever(sql: Sql): Promise<Record<string, Record<string, number>>> {
  const rows = await sql`
    select type, enqueued::int, claimed::int, completed::int, attempts_failed::int, failed::int, cancelled::int
    from dibs.statistic where span = 'ever' order by type`;
  return Object.fromEntries(
    rows.map(({ type, ...counters }) => [
      type,
      Object.fromEntries(Object.entries(counters).filter(([, count]) => count !== 0)),
    ]),
  );
}
