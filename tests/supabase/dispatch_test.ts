import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { claim, enqueue } from "../support/tasks.ts";

Deno.test("a tick calls nobody while nothing is due", async () => {
  await using db = await projectWithSecrets();
  await enqueue(db.sql, "later", 3, { run_at: "2999-01-01T00:00:00Z" });
  assert.equal(await tick(db.sql), null);
  assert.deepEqual(await calls(db.sql), []);
  assert.equal((await db.sql`select from dibs.dispatch`).length, 0);
});

Deno.test("a tick that finds work calls the dispatch function, with what only opens that", async () => {
  await using db = await projectWithSecrets();
  await quietly(db.sql, () => enqueue(db.sql, "mail"));
  const id = await tick(db.sql);
  assert.deepEqual(await calls(db.sql), [{
    url: "https://project.example/functions/v1/dispatch",
    secret: "s3cret",
    key: null,
    body: { dispatch_id: id },
  }]);
  const [{ reason, problem }] = await db.sql`select reason, problem from dibs.dispatch`;
  assert.deepEqual([reason, problem], ["tick", null]);
});

Deno.test("a tick takes back what expired, and calls for it", async () => {
  await using db = await projectWithSecrets();
  const clock = await testClock(db.sql);
  await enqueue(db.sql, "mail");
  await claim(db.sql, { seconds: 10 });
  await clock.advance("1 hour");
  assert.notEqual(await tick(db.sql), null);
  const [{ status }] = await db.sql`select status from public.tasks`;
  assert.equal(status, "pending");
});

Deno.test("without secrets in the Vault the call is not made, its record says so, and enqueueing works", async () => {
  await using db = await freshDatabase();
  await enqueue(db.sql, "mail");
  assert.deepEqual(await calls(db.sql), []);
  const [{ problem }] = await db.sql`select problem from dibs.dispatch`;
  assert.match(problem, /dibs_project_url or dibs_dispatch_secret/);
});

Deno.test("who may not use pg_net can enqueue all the same", async () => {
  await using db = await projectWithSecrets();
  await db.as(
    "supabase_admin",
  )`revoke usage on schema net from public, anon, authenticated, service_role`;
  await enqueue(db.as("service_role"), "mail");
  assert.notEqual(await tick(db.sql), null);
});

Deno.test("due work wakes dispatch at once, a burst of it once, and work for later not", async () => {
  await using db = await projectWithSecrets();
  const clock = await testClock(db.sql);
  await enqueue(db.sql, "later", 1, { run_at: "2999-01-01T00:00:00Z" });
  assert.equal((await calls(db.sql)).length, 0);

  for (let n = 0; n < 5; n++) await enqueue(db.sql, "mail");
  await db.sql`insert into public.tasks (type) values ('mail')`;
  assert.equal((await calls(db.sql)).length, 1);

  await clock.advance("2 s");
  await db.sql`select create_task('mail')`;
  assert.equal((await calls(db.sql)).length, 2);
});

Deno.test("an enqueue that is rolled back wakes nobody", async () => {
  await using db = await projectWithSecrets();
  await db.sql.begin(async (transaction) => {
    await transaction`select create_task('mail')`;
    throw new Error("undone");
  }).catch(() => {});
  assert.deepEqual(await calls(db.sql), []);
});

Deno.test("a plan has a drain for each so many due tasks, up to the cap, less the workers at it", async () => {
  await using db = await freshDatabase();
  await db.sql`update dibs.settings set tasks_per_drain = 10, max_drains = 3 where only_row`;
  const plan = () => planned(db.sql, ["mail"]);
  await enqueue(db.sql, "other", 50);
  assert.deepEqual(await plan(), []);
  await enqueue(db.sql, "mail", 11);
  assert.deepEqual(await plan(), [{ types: ["mail"] }, { types: ["mail"] }]);
  await enqueue(db.sql, "mail", 100);
  assert.equal((await plan()).length, 3);

  await claim(db.sql, { worker: "drain-1", types: ["mail"] });
  await claim(db.sql, { worker: "elsewhere", types: ["other"] });
  assert.equal((await plan()).length, 2);
});

Deno.test("a plan has one drain for each listed kind of work on thoughts that nobody drains", async () => {
  await using db = await freshDatabase();
  await db.sql`update dibs.settings set dispatch_work_types = '{enrichment}' where only_row`;
  assert.deepEqual(await planned(db.sql, []), []);
  await db.sql`insert into public.thoughts (content) values ('one'), ('two')`;
  assert.deepEqual(await planned(db.sql, []), [{ work_type: "enrichment" }]);
  await db.sql`select claim_next_thoughts('enrichment', 'drain-1', 1)`;
  assert.deepEqual(await planned(db.sql, []), []);
});

Deno.test("work that the last plan had no handler for is not called for again", async () => {
  await using db = await projectWithSecrets();
  await planned(db.sql, ["mail"]);
  await quietly(db.sql, () => enqueue(db.sql, "unknown here"));
  assert.equal(await tick(db.sql), null);
  await quietly(db.sql, () => enqueue(db.sql, "mail"));
  assert.notEqual(await tick(db.sql), null);
});

Deno.test("a plan is written down with the call that asked for it, once", async () => {
  await using db = await projectWithSecrets();
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

Deno.test("records nobody asks for any more are forgotten, the others kept", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  await db.sql`select enqueue_tasks('[{"type": "mail"}]', 'old request')`;
  await clock.advance("8 days");
  await db
    .sql`insert into dibs.request (id, verb, response, made_at) values ('new request', 'x', '{}', dibs.clock())`;
  await planned(db.sql, ["mail"]);
  await tick(db.sql);
  const requests = await db.sql`select id from dibs.request`;
  assert.deepEqual(requests.map(({ id }) => id), ["new request"]);
  const reasons = await db.sql`select reason from dibs.dispatch order by id`;
  assert.deepEqual(reasons.map(({ reason }) => reason), ["call", "tick"]);
});

/** A migrated database whose Vault knows where the project is. */
async function projectWithSecrets() {
  const db = await freshDatabase();
  await db.sql`select vault.create_secret('https://project.example', 'dibs_project_url')`;
  await db.sql`select vault.create_secret('s3cret', 'dibs_dispatch_secret')`;
  return db;
}

/** Enqueues without waking anybody. */
async function quietly(sql: Sql, work: () => Promise<unknown>): Promise<void> {
  await work();
  await sql`truncate net.http_request_queue`;
  await sql`delete from dibs.dispatch where reason = 'wake'`;
}

async function tick(sql: Sql): Promise<string | null> {
  const [{ id }] = await sql`select dibs.tick()::text as id`;
  return id;
}

async function planned(sql: Sql, types: string[]) {
  const [{ plan }] = await sql`select plan_dispatch(null, ${types}) as plan`;
  return plan.drains;
}

/** The requests that would leave. */
async function calls(sql: Sql) {
  return [
    ...await sql`
      select url, headers ->> 'x-dispatch-secret' as secret, headers ->> 'apikey' as key,
        convert_from(body, 'UTF8')::jsonb as body
      from net.http_request_queue order by id`,
  ];
}
