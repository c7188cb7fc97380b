// What the doctor says of projects that cannot be had here: these are made up.
import assert from "node:assert/strict";
import { postgresVersion } from "../../../scripts/doctor/checks/database.ts";
import { pgNetSends } from "../../../scripts/doctor/checks/dispatch.ts";
import { tickScheduled } from "../../../scripts/doctor/checks/schedule.ts";
import type { Database, Project } from "../../../scripts/doctor/project.ts";

/** A project whose every query has this answer. */
function madeUp(row: object, database: Partial<Database> = {}): Project {
  return {
    read: () => Promise.resolve([row]),
    database: () => Promise.resolve(database),
  } as unknown as Project;
}

Deno.test("a PostgreSQL before 15 is too old", async () => {
  const old = await postgresVersion.look(madeUp({}, { version: "14.12", version_num: 140_012 }));
  assert.equal(old.severity, "error");
  assert.match(old.says, /14\.12 is too old/);
  const new_ = await postgresVersion.look(madeUp({}, { version: "15.8", version_num: 150_008 }));
  assert.equal(new_.severity, "ok");
});

Deno.test("a pg_cron that knows no seconds ticks once a minute, and that is well", async () => {
  const job = { jobid: 1, active: true, command: "select dibs.tick()", tick_seconds: 5 };
  const look = (schedule: string, pg_cron: string) =>
    tickScheduled.look(madeUp({ ...job, schedule }, { extensions: { pg_cron } }));
  assert.equal((await look("* * * * *", "1.4-1")).severity, "info");
  assert.equal((await look("* * * * *", "1.6")).severity, "warning");
  assert.equal((await look("5 seconds", "1.6.4")).severity, "ok");
  assert.equal((await look("5 seconds", "1.10")).severity, "ok");
});

Deno.test("a pg_net without its worker sends nothing, whatever the queue", async () => {
  const found = await pgNetSends.look(madeUp({ queued: 0, waited: null, hasWorker: false }));
  assert.equal(found.severity, "error");
  assert.deepEqual(found.mend, { sql: "select net.worker_restart();" });
});
