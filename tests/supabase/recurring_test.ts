// Recurring schedules. Clocks stand still unless a test moves them.
import assert from "node:assert/strict";
import type { Row, Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import {
  assertRefused,
  claim,
  enqueue,
  ids,
  settle,
  statuses,
  testTasks,
} from "../support/tasks.ts";

const run = async (sql: Sql) => (await sql`select dibs.run_schedules() as n`)[0].n as number;

/** Time as it passes for a schedule: in whole minutes from now on, a second after the full minute. */
async function fullMinute(sql: Sql) {
  const clock = await testClock(sql, { stopped: true });
  const [{ left }] = await sql`
    select (date_trunc('minute', dibs.clock()) + interval '61 s' - dibs.clock())::text as left`;
  await clock.advance(left);
  return clock;
}

async function ticks(sql: Sql): Promise<string[]> {
  const rows =
    await sql`select payload -> 'schedule' ->> 'tick' as tick from public.tasks order by 1`;
  return rows.map(({ tick }) => tick);
}

const show = async (sql: Sql): Promise<Row> => (await sql`select * from schedules()`)[0];

testTasks("a schedule enqueues its task whenever it is due, once", async ({ sql }) => {
  const clock = await fullMinute(sql);
  const [{ due }] = await sql`
    select put_schedule('report', '* * * * *', 'report', '{"for": "us"}', 'Europe/Berlin',
      p_options => '{"priority": 3, "max_attempts": 2}') as due`;
  assert.equal(await run(sql), 0);
  await clock.advance("1 minute");
  assert.equal(await run(sql), 1);
  assert.equal(await run(sql), 0);
  const [task] = await sql`select * from public.tasks`;
  const tick = due.toISOString().replace(".000", "");
  assert.deepEqual(task.payload, { for: "us", schedule: { name: "report", tick } });
  assert.deepEqual([task.type, task.priority, task.max_attempts], ["report", 3, 2]);
  assert.equal(task.unique_key, `schedule:report:${tick}`);
  const shown = await show(sql);
  assert.deepEqual([shown.last_tick, shown.last_task], [due, task.id]);
  assert.deepEqual(
    shown.next_ticks.map((at: Date) => (+at - +due) / 60_000),
    [1, 2, 3],
  );
});

for (const level of ["read committed", "repeatable read", "serializable"]) {
  testTasks(`${level}: however many tick at once, each tick is enqueued once`, async (db) => {
    const clock = await fullMinute(db.sql);
    await db.sql`select put_schedule('a', '* * * * *', 'a'), put_schedule('b', '* * * * *', 'b')`;
    await clock.advance("1 minute");
    const [one, two] = [db.connect(), db.connect()];
    for (const sql of [one, two]) {
      await sql.unsafe(`begin isolation level ${level}`);
      await sql`select from dibs.recurring_schedule`;
    }
    assert.equal(await run(one), 2);
    assert.equal(await run(two), 0, "it waits for nobody, and does nothing twice");
    await one`commit`;
    await run(two).then(() => two`commit`, (error) => {
      assert.equal(error.code, "40001");
      return two`rollback`;
    });
    const rows = await db.sql`select type from public.tasks order by 1`;
    assert.deepEqual(rows.map(({ type }) => type), ["a", "b"]);
  });
}

testTasks("what was rolled back is due still", async (db) => {
  const clock = await fullMinute(db.sql);
  await db.sql`select put_schedule('a', '* * * * *', 'a')`;
  await clock.advance("1 minute");
  const one = db.connect();
  await one`begin`;
  assert.equal(await run(one), 1);
  await one`rollback`;
  assert.equal(await run(db.sql), 1);
});

testTasks("what was missed is left out, run once, or made up for", async ({ sql }) => {
  const clock = await fullMinute(sql);
  await sql`
    select put_schedule('skip', '* * * * *', 'skip', p_missed => 'skip'),
      put_schedule('once', '* * * * *', 'once', p_missed => 'once'),
      put_schedule('all', '* * * * *', 'all', p_missed => 'all')`;
  await clock.advance("150 minutes");
  await run(sql);
  const counts = async () =>
    Object.fromEntries(
      (await sql`select type, count(*)::int as n from public.tasks group by 1`).map((
        { type, n },
      ) => [type, n]),
    );
  assert.deepEqual(await counts(), { skip: 1, once: 1, all: 100 });
  const newest = await sql`
    select type, max(payload -> 'schedule' ->> 'tick')::timestamptz = date_trunc('minute', dibs.clock()) as now
    from public.tasks group by 1 order by 1`;
  assert.deepEqual([...newest], [
    { type: "all", now: false },
    { type: "once", now: true },
    { type: "skip", now: true },
  ]);
  await run(sql);
  await run(sql);
  assert.deepEqual(await counts(), { skip: 1, once: 1, all: 150 });
  assert.equal(new Set(await ticks(sql)).size, 150);
});

testTasks("skip leaves out what is late by a minute, and is not late itself", async ({ sql }) => {
  const clock = await fullMinute(sql);
  await sql`select put_schedule('skip', '0 * * * *', 'skip', p_missed => 'skip')`;
  const [{ left }] = await sql`
    select (date_trunc('hour', dibs.clock()) + interval '1 hour' - dibs.clock())::text as left`;
  await clock.advance(left);
  await clock.advance("60 s");
  assert.equal(await run(sql), 0);
  await clock.advance("58 minutes 59 s");
  assert.equal(await run(sql), 0);
  await clock.advance("60 s");
  assert.equal(await run(sql), 1);
});

testTasks("paused it does nothing, and when resumed makes up for nothing", async ({ sql }) => {
  const clock = await fullMinute(sql);
  await sql`select put_schedule('a', '* * * * *', 'a', p_missed => 'all')`;
  const call = async (name: string) =>
    (await sql.unsafe(`select ${name}('a') as answer`))[0].answer;
  assert.equal(await call("pause_schedule"), true);
  await clock.advance("10 minutes");
  assert.equal(await run(sql), 0);
  assert.deepEqual((await show(sql)).next_ticks, []);
  const next = await call("resume_schedule");
  assert.deepEqual((await show(sql)).next_ticks[0], next);
  assert.deepEqual(await call("resume_schedule"), next);
  assert.equal(await run(sql), 0);
  await clock.advance("1 minute");
  assert.equal(await run(sql), 1);
  assert.equal(await call("delete_schedule"), true);
  for (const name of ["delete_schedule", "pause_schedule"]) assert.equal(await call(name), false);
  for (const name of ["resume_schedule", "run_schedule_now"]) assert.equal(await call(name), null);
  assert.equal((await ticks(sql)).length, 1);
});

testTasks(
  "said again as it was it misses nothing, said otherwise it begins anew",
  async ({ sql }) => {
    const clock = await fullMinute(sql);
    const put = async (cron: string) =>
      (await sql`select put_schedule('a', ${cron}, 'a', p_missed => 'all') as due`)[0].due;
    const due = await put("* * * * *");
    await clock.advance("3 minutes");
    assert.deepEqual(await put("* * * * *"), due);
    assert.equal(await run(sql), 3);
    await clock.advance("3 minutes");
    assert.ok(await put("*/1 * * * *") > due);
    assert.equal(await run(sql), 0);
  },
);

testTasks("run now, it runs besides", async ({ sql }) => {
  await fullMinute(sql);
  await sql`select put_schedule('a', '@yearly', 'a')`;
  const before = await show(sql);
  await sql`select pause_schedule('a')`;
  const [{ id }] = await sql`select run_schedule_now('a') as id`;
  assert.deepEqual(ids(await claim(sql)), [id]);
  await sql`select resume_schedule('a')`;
  assert.deepEqual((await show(sql)).next_ticks, before.next_ticks);
});

testTasks("with a unique key of its own, it waits for the task before", async ({ sql }) => {
  const clock = await fullMinute(sql);
  await sql`select put_schedule('a', '* * * * *', 'a', p_options => '{"unique_key": "one"}')`;
  for (let minute = 0; minute < 3; minute++) {
    await clock.advance("1 minute");
    await run(sql);
  }
  assert.equal((await ticks(sql)).length, 1);
  const [{ id, fence }] = await claim(sql, { seconds: 600 });
  await settle(sql, fence, [], "succeeded");
  await clock.advance("1 minute");
  await run(sql);
  assert.equal((await ticks(sql)).length, 2);
  assert.deepEqual(await statuses(sql, [id]), ["completed"]);
});

testTasks("one that cannot enqueue says why, and holds up no other", async ({ sql }) => {
  const clock = await fullMinute(sql);
  await sql`select put_schedule('a', '* * * * *', 'a'), put_schedule('b', '* * * * *', 'b')`;
  await sql`update dibs.recurring_schedule set options = '{"priority": "high"}' where name = 'a'`;
  await clock.advance("1 minute");
  assert.equal(await run(sql), 1);
  assert.match((await show(sql)).problem, /invalid input syntax/);
  await sql`select put_schedule('a', '* * * * *', 'a')`;
  assert.equal((await show(sql)).problem, null);
  assert.equal(await run(sql), 1);
});

testTasks("the tick runs schedules, and so does a call of dispatch", async ({ sql }) => {
  const clock = await fullMinute(sql);
  await sql`select put_schedule('a', '* * * * *', 'a')`;
  await clock.advance("1 minute");
  await sql`select dibs.tick()`;
  assert.equal((await ticks(sql)).length, 1);
  await clock.advance("1 minute");
  await sql`select plan_dispatch()`;
  assert.equal((await ticks(sql)).length, 2);
  const [{ status }] = await sql`select dibs_status() as status`;
  assert.equal(status.schedules[0].name, "a");
  assert.equal(new Date(status.schedules[0].next_tick).getTime() % 60_000, 0);
});

testTasks("what a schedule cannot be is refused", async ({ sql }) => {
  const put = (changes: Record<string, unknown>) => {
    const s = {
      name: "a",
      cron: "* * * * *",
      type: "a",
      payload: {},
      zone: "UTC",
      missed: "once",
      options: {},
      ...changes,
    };
    return sql`select put_schedule(${s.name}, ${s.cron}, ${s.type}, ${
      sql.json(s.payload as never)
    }, ${s.zone},
      ${s.missed}, ${sql.json(s.options as never)})`;
  };
  const refusals: [Record<string, unknown>, RegExp][] = [
    [{ name: "" }, /^p_name must not be empty/],
    [{ name: "x".repeat(101) }, /^p_name has 101 characters/],
    [{ cron: "61 * * * *" }, /^p_cron: '61' is no minute/],
    [{ cron: "0 0 30 2 *" }, /^p_cron is never due/],
    [{ type: "" }, /^p_type must not be empty/],
    [{ payload: [1] }, /^p_payload of a schedule must be an object/],
    [{ zone: "CEST" }, /^p_time_zone is no time zone/],
    [{ zone: "Europe/Nowhere" }, /^p_time_zone is no time zone/],
    [{ zone: "+02:00" }, /^p_time_zone is no time zone/],
    [{ zone: null }, /^p_time_zone is no time zone/],
    [{ missed: "some" }, /^p_missed must be skip, once or all/],
    [{ missed: null }, /^p_missed must be skip, once or all/],
    [{ options: 1 }, /^p_options must be an object/],
    [{ options: { priority: "high" } }, /^p_options\.priority has the wrong type/],
    [{ options: { max_attempts: 0 } }, /^p_options\.max_attempts must be between/],
    [{ options: { colour: 1 } }, /^p_options\.colour is not a field/],
    [{ options: { depends_on: [] } }, /^p_options of a schedule cannot have/],
    [{ options: { run_at: null } }, /^p_options of a schedule cannot have/],
  ];
  for (const [changes, message] of refusals) await assertRefused(put(changes), "PT400", message);
  assert.equal((await sql`select from schedules()`).length, 0);
  await enqueue(sql, "nothing else");
});
