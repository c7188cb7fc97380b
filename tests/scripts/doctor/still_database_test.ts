// On PostgreSQL 15, too.
// What the doctor says of databases in which nothing ticks and nothing is sent.
import assert from "node:assert/strict";
import type { Finding } from "../../../scripts/doctor/finding.ts";
import { Project } from "../../../scripts/doctor/project.ts";
import { applyMigrations, listMigrations } from "../../../scripts/stack/migrations.ts";
import { testClock } from "../../support/clock.ts";
import { freshDatabase, type TestDatabase } from "../../support/database.ts";
import { findingsOf, runMend } from "../../support/doctor.ts";
import { claim, enqueue } from "../../support/tasks.ts";

async function look({ url }: TestDatabase, id: string): Promise<Finding> {
  const [finding] = await findingsOf({ databaseUrl: url }, id);
  return finding;
}

function assertFound(finding: Finding, severity: string, says: RegExp): void {
  assert.equal(finding.severity, severity, finding.says);
  assert.match(finding.says, says);
}

Deno.test("what it asks of a database could change nothing", async () => {
  await using db = await freshDatabase();
  await using project = new Project({ databaseUrl: db.url });
  const write = project.read((sql) => sql`select dibs.configure('max_drains', '8')`);
  await assert.rejects(write, /read-only transaction/);
});

Deno.test("without pg_cron, pg_net and Vault each is told, and what needs it is not looked at", async () => {
  await using db = await freshDatabase({ migrated: false, standIns: false });
  await applyMigrations(db.sql, await listMigrations());
  for (const id of ["pg_cron", "pg_net", "vault"]) {
    const finding = await look(db, id);
    assertFound(finding, "warning", /There is no /);
    assert.match((finding.mend as { sql: string }).sql, /^create extension /);
  }
  for (const id of ["tick_scheduled", "tick_runs", "pg_net_sends", "vault_url"]) {
    assertFound(await look(db, id), "info", /^Not looked at: the database has no /);
  }
});

Deno.test("an empty database is told to be migrated", async () => {
  await using db = await freshDatabase({ migrated: false });
  const { severity, mend } = await look(db, "migrations");
  assert.equal(severity, "error");
  assert.deepEqual(mend, { command: 'npx supabase db push --db-url "$SUPABASE_DB_URL"' });
  assertFound(await look(db, "grants"), "info", /Dibs is not in the database/);
});

Deno.test("runs of the tick: none yet, none for long, the last ones failed, all well", async () => {
  await using db = await freshDatabase();
  const ran = (ago: string, status: string) =>
    db.sql`
      insert into cron.job_run_details (jobid, status, return_message, start_time, end_time)
      select jobid, ${status}, 'ERROR:  what went wrong', now() - ${ago}::interval, now() - ${ago}::interval
      from cron.job where jobname = 'dibs-tick'`;
  assertFound(await look(db, "tick_runs"), "warning", /has not run dibs-tick yet/);
  await ran("1 hour", "succeeded");
  assertFound(await look(db, "tick_runs"), "error", /for 60 minutes/);
  await ran("3 seconds", "failed");
  assertFound(await look(db, "tick_runs"), "warning", /last 1 run of .* what went wrong/);
  for (const ago of ["2 seconds", "1 second"]) await ran(ago, "failed");
  assertFound(await look(db, "tick_runs"), "error", /last 3 runs/);
  await ran("0 seconds", "succeeded");
  assertFound(await look(db, "tick_runs"), "ok", /ran 0 seconds ago/);
});

Deno.test("a call that pg_net keeps for half a minute, or a long queue, means that its worker is gone", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  await enqueue(db.sql, "mail");
  await db.sql`select vault.create_secret('http://127.0.0.1:1', 'dibs_project_url')`;
  await db.sql`select vault.create_secret('secret', 'dibs_dispatch_secret')`;
  await db.sql`select dibs.call_dispatch('tick')`;
  assertFound(await look(db, "pg_net_sends"), "ok", /1 requests/);
  await clock.advance("31 s");
  const finding = await look(db, "pg_net_sends");
  assertFound(finding, "error", /for 31 seconds/);

  // What the real one does, once its worker is back.
  await db.as("supabase_admin").unsafe(`
    create or replace function net.worker_restart() returns boolean
      language sql security definer as $$
      delete from net.http_request_queue; select true $$`);
  await runMend(finding.mend!, { databaseUrl: db.url });
  assertFound(await look(db, "pg_net_sends"), "ok", /0 requests/);

  await db.sql`select net.http_post('http://127.0.0.1:1') from generate_series(1, 1001)`;
  assertFound(await look(db, "pg_net_sends"), "warning", /More than 1,000/);
});

const failures: [state: string, problem: string, says: RegExp, mend: RegExp][] = [
  ["lost", "pg_net did not send it", /the latest was lost/, /net\.worker_restart/],
  [
    "refused",
    "dispatch answered 404",
    /refused: dispatch answered 404/,
    /functions deploy dispatch/,
  ],
  ["refused", "dispatch answered 401", /refused/, /dispatch_secret/],
  ["timed_out", "no answer in time", /the latest was timed out/, /Logs/],
  ["planned", "the Vault has no secret x", /the latest was not sent/, /vault_url/],
];
for (const [state, problem, says, mend] of failures) {
  Deno.test(`a call to dispatch that was ${state}: ${problem}`, async () => {
    await using db = await freshDatabase();
    const call = (state: string, problem: string | null) =>
      db.sql`
        insert into dibs.dispatch (reason, state, made_at, problem)
        values ('tick', ${state}, dibs.clock(), ${problem})`;
    await call("answered", null);
    await call(state, problem);
    const finding = await look(db, "dispatch_calls");
    assertFound(finding, "warning", says);
    assert.match(Object.values(finding.mend!)[0], mend);
    await call("answered", null);
    assertFound(await look(db, "dispatch_calls"), "info", /1 of 3 .* the latest got through/);
  });
}

Deno.test("a backlog beyond what drains take is told with as many drains as it needs", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  await enqueue(db.sql, "mail", 501);
  await claim(db.sql, { worker: "drain-1", seconds: 3_600 });
  assertFound(await look(db, "backlog"), "ok", /4 drains are enough/);
  await clock.advance("6 minutes");
  const finding = await look(db, "backlog");
  assertFound(finding, "warning", /500 tasks due, the oldest for 6 minutes: 4 drains/);
  assert.deepEqual(finding.mend, { sql: "select dibs.configure('max_drains', '8');" });
  assertFound(await look(db, "work_waits"), "ok", /1 worker at it/);
  await runMend(finding.mend!, { databaseUrl: db.url });
  assertFound(await look(db, "backlog"), "ok", /8 drains/);
});

Deno.test("workers at other types do not count for tasks that functions have handlers for", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  await db.sql`select plan_dispatch(null, '{mail}')`;
  await enqueue(db.sql, "mail", 3);
  await enqueue(db.sql, "video", 2);
  await claim(db.sql, { worker: "elsewhere", types: ["video"], seconds: 3_600 });
  await clock.advance("6 minutes");
  assertFound(await look(db, "work_waits"), "error", /3 tasks due, the oldest for 6 minutes/);
  assertFound(await look(db, "no_handler"), "ok", /somebody for every type/);
  await db.sql`delete from dibs.lease where worker_id = 'elsewhere'`;
  assertFound(await look(db, "no_handler"), "warning", /handler for video, .*: 1 due/);
});

Deno.test("a month whose calls are nearly used up is a warning", async () => {
  await using db = await freshDatabase();
  await db.sql`select dibs.configure('max_invocations_per_month', '20')`;
  await db.sql`
    insert into dibs.dispatch (reason, state, made_at, drains)
    values ('tick', 'answered', dibs.clock(), 10), ('tick', 'answered', dibs.clock(), 6)`;
  assertFound(await look(db, "invocations"), "ok", /18 of 20/);
  await db.sql`select dibs.configure('max_invocations_per_month', '25')`;
  await db
    .sql`insert into dibs.dispatch (reason, state, made_at, drains) values ('tick', 'answered', dibs.clock(), 4)`;
  assertFound(await look(db, "invocations"), "warning", /23 of 25/);
});

Deno.test("what the doctor cannot look at is told, not passed over", async () => {
  await using db = await freshDatabase();
  const holder = await db.connect().reserve();
  await holder.unsafe("begin; lock table dibs.settings");
  const finding = await look(db, "settings");
  assertFound(finding, "warning", /^Could not be looked at: canceling .* lock timeout/);
  holder.release();
});
