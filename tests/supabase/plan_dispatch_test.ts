import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { claimNextRows, words } from "../support/sources.ts";
import { claim, enqueue } from "../support/tasks.ts";

/** Unless the settings say otherwise. */
const PACE = { batch: 50, lease_seconds: 120, linger_seconds: 1 };

Deno.test("a plan has a drain for each so many due tasks, up to the cap, less the workers at it", async () => {
  await using db = await freshDatabase();
  await configure(db.sql, { tasks_per_drain: 10, max_drains: 3 });
  const plan = () => planned(db.sql, ["mail"]);
  await enqueue(db.sql, "other", 50);
  assert.deepEqual(await plan(), []);
  await enqueue(db.sql, "mail", 11);
  assert.deepEqual(await plan(), Array(2).fill({ types: ["mail"], ...PACE }));
  await enqueue(db.sql, "mail", 100);
  assert.equal((await plan()).length, 3);

  await claim(db.sql, { worker: "drain-1", types: ["mail"] });
  await claim(db.sql, { worker: "elsewhere", types: ["other"] });
  assert.equal((await plan()).length, 2);
});

Deno.test("a plan has one drain for each listed kind of work on thoughts that nobody drains", async () => {
  await using db = await freshDatabase();
  await configure(db.sql, { dispatch_work_types: "{enrichment}" });
  assert.deepEqual(await planned(db.sql, []), []);
  await db.sql`insert into public.thoughts (content) values ('one'), ('two')`;
  assert.deepEqual(await planned(db.sql, []), [{ work_type: "enrichment", ...PACE }]);
  await db.sql`select claim_next_thoughts('enrichment', 'drain-1', 1)`;
  assert.deepEqual(await planned(db.sql, []), []);
});

Deno.test("a plan has one drain for each listed kind of work on rows of a source, which thoughts know nothing of", async () => {
  await using db = await freshDatabase();
  const service = await words(db, 2);
  await configure(db.sql, { dispatch_work_types: "{words/index,nothing/index}" });
  assert.deepEqual(await planned(service, []), [{ work_type: "index", source: "words", ...PACE }]);
  await service`select pause_claims('words', 'index')`;
  assert.deepEqual(await planned(service, []), []);
  await service`select resume_claims('words', 'index')`;
  await claimNextRows(service, "words", 1, { worker: "drain-1" });
  assert.deepEqual(await planned(service, []), []);
  await db.sql`insert into public.thoughts (content) values ('one')`;
  assert.deepEqual(await planned(service, []), [{ work_type: "nothing/index", ...PACE }]);
});

Deno.test("drains claim, lease and linger as the settings say", async () => {
  await using db = await freshDatabase();
  await configure(db.sql, { drain_batch: 7, drain_lease_seconds: 300, wake_debounce: "1.5 s" });
  await enqueue(db.sql, "mail");
  const wanted = { types: ["mail"], batch: 7, lease_seconds: 300, linger_seconds: 2 };
  assert.deepEqual(await planned(db.sql, ["mail"]), [wanted]);
  await configure(db.sql, { wake_debounce: "1 hour" });
  assert.equal(
    (await planned(db.sql, ["mail"]))[0].linger_seconds,
    60,
    "no longer than a drain may",
  );
});

Deno.test("a task that was passed over for three ticks gets a drain beside the busy ones", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  await enqueue(db.sql, "mail");
  await claim(db.sql, { worker: "elsewhere", types: ["mail"] });
  await enqueue(db.sql, "mail");
  assert.deepEqual(await planned(db.sql, ["mail"]), []);
  await clock.advance("16 s");
  assert.equal((await planned(db.sql, ["mail"])).length, 1);
  await configure(db.sql, { max_drains: 1 });
  await claim(db.sql, { worker: "drain-1", types: ["mail"] });
  await enqueue(db.sql, "mail");
  await clock.advance("16 s");
  assert.deepEqual(await planned(db.sql, ["mail"]), []);
});

Deno.test("when the calls of the month are used up, nothing more is planned or called until it ends", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  await clock.advance(await untilTheMiddleOfAMonth(db.sql));
  await configure(db.sql, { tasks_per_drain: 1, max_drains: 10, max_invocations_per_month: 4 });
  await enqueue(db.sql, "mail", 9);
  // This call is one of the four.
  assert.equal((await planned(db.sql, ["mail"])).length, 4 - 1);
  assert.deepEqual(await planned(db.sql, ["mail"]), []);
  assert.equal((await db.sql`select dibs.tick() as id`)[0].id, null);
  const [{ dispatch }] = await db.sql`select dibs_status() -> 'dispatch' as dispatch`;
  assert.equal(dispatch.invocations_left, 0);
  assert.match(dispatch.rest_until, /-01T00:00:00\+00:00$/);

  await clock.advance("1 month");
  const [{ left }] = await db.sql`select dibs.invocations_left()::int as left`;
  assert.equal(left, 4);
  assert.notEqual((await db.sql`select dibs.tick() as id`)[0].id, null);
});

Deno.test("the calls of this month stay on record while they are limited, whatever is kept otherwise", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  await clock.advance(await untilTheMiddleOfAMonth(db.sql));
  await configure(db.sql, { max_invocations_per_month: 100, keep_dispatches: "1 hour" });
  await planned(db.sql, ["mail"]);
  await clock.advance("2 hours");
  await db.sql`select dibs.tick()`;
  assert.equal((await db.sql`select from dibs.dispatch`).length, 1);
  await configure(db.sql, { max_invocations_per_month: null });
  await db.sql`select dibs.tick()`;
  assert.equal((await db.sql`select from dibs.dispatch`).length, 0);
});

Deno.test("a plan is written down with the call that asked for it, once", async () => {
  await using db = await freshDatabase();
  await enqueue(db.sql, "mail");
  const [{ id }] = await db.sql`select id::text from dibs.dispatch`;
  const [{ plan }] = await db.sql`select plan_dispatch(${id}, '{mail}') as plan`;
  assert.equal(plan.dispatch_id, id);
  const [{ repeated }] = await db.sql`select plan_dispatch(${id}, '{mail}') as repeated`;
  assert.notEqual(repeated.dispatch_id, id);
  const rows = await db.sql`select reason, drains, types from dibs.dispatch order by id`;
  assert.deepEqual([...rows], [
    { reason: "wake", drains: 1, types: ["mail"] },
    { reason: "call", drains: 1, types: ["mail"] },
  ]);
});

/** A test that runs at the end of a month is not to see two. */
async function untilTheMiddleOfAMonth(sql: Sql): Promise<string> {
  const [{ wait }] = await sql`
    select (date_trunc('month', now(), 'UTC') + interval '1 month 14 days' - now())::text as wait`;
  return wait;
}

async function planned(sql: Sql, types: string[]) {
  const [{ plan }] = await sql`select plan_dispatch(null, ${types}) as plan`;
  return plan.drains;
}

async function configure(
  sql: Sql,
  settings: Record<string, string | number | null>,
): Promise<void> {
  for (const [name, value] of Object.entries(settings)) {
    await sql`select dibs.configure(${name}, ${value === null ? null : String(value)})`;
  }
}
