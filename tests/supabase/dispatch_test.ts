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

Deno.test("a tick that cannot count does all else", async () => {
  await using db = await projectWithSecrets();
  const clock = await testClock(db.sql);
  await db.sql`select dibs.tick()`;
  await enqueue(db.sql, "mail");
  await claim(db.sql, { seconds: 10 });
  await clock.advance("1 hour");
  await db.as("supabase_admin")`alter table dibs.statistic add check (enqueued = 0)`;
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

Deno.test("while a drain is at work, more work wakes nobody: it comes back for it", async () => {
  await using db = await projectWithSecrets();
  const clock = await testClock(db.sql);
  await enqueue(db.sql, "mail");
  await claim(db.sql, { worker: "drain-1", types: ["mail"], seconds: 60 });
  await clock.advance("5 s");
  await enqueue(db.sql, "mail");
  assert.equal((await calls(db.sql)).length, 1);
  await clock.advance("1 minute");
  await enqueue(db.sql, "mail");
  assert.equal((await calls(db.sql)).length, 2);
});

Deno.test("work that the functions have no handler for wakes nobody", async () => {
  await using db = await projectWithSecrets();
  const clock = await testClock(db.sql);
  await planned(db.sql, ["mail"]);
  await clock.advance("5 s");
  await enqueue(db.sql, "unknown here");
  await db.sql`select create_task('unknown here')`;
  await db.sql`select enqueue_tasks('[{"type": "unknown"}, {"type": "here"}]')`;
  assert.equal((await calls(db.sql)).length, 0);
  await db.sql`select enqueue_tasks('[{"type": "unknown"}, {"type": "mail"}]')`;
  assert.equal((await calls(db.sql)).length, 1);
});

Deno.test("an enqueue that is rolled back wakes nobody", async () => {
  await using db = await projectWithSecrets();
  await db.sql.begin(async (transaction) => {
    await transaction`select create_task('mail')`;
    throw new Error("undone");
  }).catch(() => {});
  assert.deepEqual(await calls(db.sql), []);
});

Deno.test("work that the last plan had no handler for is not called for again", async () => {
  await using db = await projectWithSecrets();
  await planned(db.sql, ["mail"]);
  await quietly(db.sql, () => enqueue(db.sql, "unknown here"));
  assert.equal(await tick(db.sql), null);
  await quietly(db.sql, () => enqueue(db.sql, "mail"));
  assert.notEqual(await tick(db.sql), null);
});

Deno.test("what was deployed since may have a handler for it: after a while it is called for", async () => {
  await using db = await projectWithSecrets();
  const clock = await testClock(db.sql);
  await planned(db.sql, ["mail"]);
  await quietly(db.sql, () => enqueue(db.sql, "new here"));
  assert.equal(await tick(db.sql), null);
  await clock.advance("11 minutes");
  assert.notEqual(await tick(db.sql), null);
});

Deno.test("a tick calls nobody while there are as many drains as the work needs", async () => {
  await using db = await projectWithSecrets();
  await quietly(db.sql, () => enqueue(db.sql, "mail", 30));
  await claim(db.sql, { worker: "drain-1", types: ["mail"] });
  assert.equal(await tick(db.sql), null);
  await db.sql`select dibs.configure('tasks_per_drain', '10')`;
  assert.notEqual(await tick(db.sql), null);
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

async function planned(sql: Sql, types: string[]): Promise<void> {
  await sql`select plan_dispatch(null, ${types})`;
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
