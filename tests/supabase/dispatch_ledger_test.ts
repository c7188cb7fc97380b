import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { enqueue } from "../support/tasks.ts";

/** As pg_net notes it. */
interface Answer {
  status_code?: number;
  timed_out?: boolean;
  error_msg?: string;
}

for (
  const { what, answer, state, problem } of [
    { what: "202", answer: { status_code: 202 }, state: "answered", problem: null },
    {
      what: "503",
      answer: { status_code: 503 },
      state: "refused",
      problem: "dispatch answered 503",
    },
    {
      what: "nothing in time",
      answer: { timed_out: true, error_msg: "Timeout of 5000 ms reached" },
      state: "timed_out",
      problem: "Timeout of 5000 ms reached",
    },
    {
      what: "no connection",
      answer: { timed_out: false, error_msg: "Couldn't connect to server" },
      state: "lost",
      problem: "Couldn't connect to server",
    },
  ]
) {
  Deno.test(`a call that gets ${what} is ${state}`, async () => {
    await using db = await projectWithWork();
    const id = await tick(db.sql);
    assert.deepEqual(await dispatches(db.sql), [[id, "sent", null]]);
    await sendAndAnswer(db.sql, answer);
    await db.sql`select dibs.settle_dispatches()`;
    assert.deepEqual(await dispatches(db.sql), [[id, state, problem]]);
  });
}

Deno.test("what pg_net does not send is taken back from its queue, told, and called for anew", async () => {
  await using db = await projectWithWork();
  const clock = await testClock(db.sql);
  await db.sql`select net.http_post('https://theirs.example')`;
  const lost = await tick(db.sql);
  await clock.advance("31 s");
  const next = await tick(db.sql);
  const [[, state, problem], second] = await dispatches(db.sql);
  assert.equal(state, "lost");
  assert.match(problem!, /worker seems to have ended: select net\.worker_restart\(\)/);
  assert.deepEqual(second, [next, "sent", null]);
  assert.notEqual(next, lost);
  const queued = await db.sql`select url from net.http_request_queue order by id`;
  assert.deepEqual(queued.map(({ url }) => url), [
    "https://theirs.example",
    "https://project.example/functions/v1/dispatch",
  ]);
});

Deno.test("a call of which nothing is left is lost, unless it is known to have arrived", async () => {
  await using db = await projectWithWork();
  const clock = await testClock(db.sql);
  await tick(db.sql);
  const arrived = await tick(db.sql);
  await db.sql`select plan_dispatch(${arrived}, '{mail}')`;
  await db.sql`truncate net.http_request_queue`;
  await clock.advance("31 s");
  await db.sql`select dibs.settle_dispatches()`;
  const [[, state, problem], second] = await dispatches(db.sql);
  assert.equal(state, "lost");
  assert.match(problem!, /neither the request nor an answer/);
  assert.deepEqual(second, [arrived, "answered", null]);
});

Deno.test("after three failures in a row calls rest, ever longer, and the first answer ends it", async () => {
  await using db = await projectWithWork();
  const clock = await testClock(db.sql);
  const fail = async () => {
    assert.notEqual(await tick(db.sql), null);
    await sendAndAnswer(db.sql, { status_code: 503 });
    await db.sql`select dibs.settle_dispatches()`;
  };
  for (let n = 0; n < 3; n++) await fail();
  assert.equal(await tick(db.sql), null);
  assert.equal((await status(db.sql)).failed, 3);
  assert.notEqual((await status(db.sql)).rest_until, null);

  await clock.advance("11 s");
  assert.equal((await status(db.sql)).rest_until, null);
  await fail();
  await clock.advance("11 s");
  assert.equal(await tick(db.sql), null);
  await clock.advance("10 s");

  assert.notEqual(await tick(db.sql), null);
  await sendAndAnswer(db.sql, { status_code: 202 });
  assert.notEqual(await tick(db.sql), null);
  assert.deepEqual(await status(db.sql), { failed: 0, rest_until: null });
});

Deno.test("after how many failures, and for how long, is what the settings say", async () => {
  await using db = await projectWithWork();
  const clock = await testClock(db.sql);
  const settings = { failures_before_rest: "1", shortest_rest: "1 min", longest_rest: "90 s" };
  for (const [name, value] of Object.entries(settings)) {
    await db.sql`select dibs.configure(${name}, ${value})`;
  }
  for (const rest of ["1 min", "90 s", "90 s"]) {
    assert.notEqual(await tick(db.sql), null);
    await sendAndAnswer(db.sql, { status_code: 503 });
    await db.sql`select dibs.settle_dispatches()`;
    const [{ until }] = await db.sql`
      select dibs.calls_rest_until() = max(made_at) + ${rest}::text::interval as until from dibs.dispatch`;
    assert.equal(until, true, rest);
    await clock.advance(rest);
    await clock.advance("1 s");
  }
});

Deno.test("while calls rest, new work does not wake dispatch either", async () => {
  await using db = await projectWithWork();
  const clock = await testClock(db.sql);
  for (let n = 0; n < 3; n++) {
    await tick(db.sql);
    await sendAndAnswer(db.sql, { timed_out: true });
    await db.sql`select dibs.settle_dispatches()`;
  }
  await clock.advance("2 s");
  await enqueue(db.sql, "mail");
  assert.equal((await dispatches(db.sql)).length, 3);
});

Deno.test("calls that could not be sent do not rest: with the secrets the next one goes", async () => {
  await using db = await freshDatabase();
  await enqueue(db.sql, "mail");
  for (let n = 0; n < 5; n++) assert.notEqual(await tick(db.sql), null);
  const states = (await dispatches(db.sql)).map(([, state]) => state);
  assert.deepEqual(new Set(states), new Set(["planned"]));
  assert.deepEqual(await status(db.sql), { failed: 0, rest_until: null });
});

/** A migrated database whose Vault knows where the project is, with work that nobody was woken for. */
async function projectWithWork() {
  const db = await freshDatabase();
  await enqueue(db.sql, "mail");
  await db.sql`delete from dibs.dispatch where reason = 'wake'`;
  await db.sql`select vault.create_secret('https://project.example', 'dibs_project_url')`;
  await db.sql`select vault.create_secret('s3cret', 'dibs_dispatch_secret')`;
  return db;
}

/** What pg_net would do with all that it has: send it, and note an answer. */
async function sendAndAnswer(sql: Sql, answer: Answer): Promise<void> {
  await sql`
    with sent as (delete from net.http_request_queue where true returning id)
    insert into net._http_response (id, status_code, timed_out, error_msg)
    select id, ${answer.status_code ?? null}, ${answer.timed_out ?? false}, ${
    answer.error_msg ?? null
  }
    from sent`;
}

async function tick(sql: Sql): Promise<string | null> {
  const [{ id }] = await sql`select dibs.tick()::text as id`;
  return id;
}

async function dispatches(sql: Sql): Promise<[string, string, string | null][]> {
  const rows = await sql`select id::text, state, problem from dibs.dispatch order by id`;
  return rows.map(({ id, state, problem }) => [id, state, problem]);
}

async function status(sql: Sql): Promise<{ failed: number; rest_until: string | null }> {
  const [{ failed, rest_until }] = await sql`
    select d.* from jsonb_to_record(dibs_status() -> 'dispatch') d (failed int, rest_until text)`;
  return { failed, rest_until };
}
