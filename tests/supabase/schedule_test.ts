import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { applyMigrations, listMigrations } from "../../scripts/stack/migrations.ts";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { enqueue } from "../support/tasks.ts";

Deno.test("one job ticks every few seconds, one prunes, however often the migrations are applied", async () => {
  await using db = await freshDatabase();
  const before = await jobs(db.sql);
  await applyMigrations(db.sql, await listMigrations());
  assert.deepEqual(await jobs(db.sql), before);
  assert.deepEqual(
    before.map(({ jobname, schedule, command, username, active }) => ({
      jobname,
      schedule,
      command,
      username,
      active,
    })),
    [
      {
        jobname: "dibs-prune",
        schedule: "7 * * * *",
        command: "select dibs.prune()",
        username: "postgres",
        active: true,
      },
      {
        jobname: "dibs-tick",
        schedule: "5 seconds",
        command: "select dibs.tick()",
        username: "postgres",
        active: true,
      },
    ],
  );
});

Deno.test("a new interval changes the job at once", async () => {
  await using db = await freshDatabase();
  await db.sql`select dibs.configure('tick_seconds', '20')`;
  const tick = (await jobs(db.sql)).find(({ jobname }) => jobname === "dibs-tick")!;
  assert.equal(tick.schedule, "20 seconds");
});

Deno.test("runs that ended a day ago are forgotten, those of others' jobs are not", async () => {
  await using db = await freshDatabase();
  const [{ theirs }] = await db
    .sql`select cron.schedule('theirs', '1 second', 'select 1') as theirs`;
  const [{ jobid: ours }] = await jobs(db.sql);
  await db.sql`
    insert into cron.job_run_details (jobid, end_time, return_message)
    values (${ours}, now() - interval '25 hours', 'old'), (${ours}, now() - interval '23 hours', 'new'),
      (${ours}, null, 'running'), (${theirs}, now() - interval '25 hours', 'theirs')`;
  const [{ cron_runs }] = await db.sql`select cron_runs::int from dibs.prune()`;
  assert.equal(cron_runs, 1);
  const left = await db.sql`select return_message from cron.job_run_details order by 1`;
  assert.deepEqual(left.map(({ return_message }) => return_message), ["new", "running", "theirs"]);
});

Deno.test("ended tasks stay until the settings say for how long", async () => {
  await using db = await freshDatabase();
  const clock = await testClock(db.sql);
  await enqueue(db.sql, "mail", 2);
  await db.sql`update public.tasks set status = 'completed' where type = 'mail'`;
  await clock.advance("31 days");
  await enqueue(db.sql, "mail");
  const prune = async () =>
    (await db.sql`select ended_tasks::int from dibs.prune()`)[0].ended_tasks;
  assert.equal(await prune(), 0);
  await db.sql`select dibs.configure('keep_ended_tasks', '30 days')`;
  assert.equal(await prune(), 2);
  const left = await db.sql`select status from public.tasks`;
  assert.deepEqual([...left], [{ status: "pending" }]);
});

Deno.test("unscheduled, nothing of Dibs is left in pg_cron, and what is theirs stays", async () => {
  await using db = await freshDatabase();
  await db.sql`select cron.schedule('theirs', '1 second', 'select 1')`;
  await db.sql`select dibs.unschedule()`;
  await db.sql`select dibs.unschedule()`;
  assert.deepEqual((await jobs(db.sql)).map(({ jobname }) => jobname), ["theirs"]);
});

Deno.test("without pg_cron there is nothing to schedule, and nothing to unschedule", async () => {
  await using db = await freshDatabase({ migrated: false, standIns: false });
  await applyMigrations(db.sql, await listMigrations());
  const [{ schedule }] = await db.sql`select dibs.schedule()`;
  assert.equal(schedule, null);
  await db.sql`select dibs.unschedule()`;
});

async function jobs(sql: Sql) {
  return [...await sql`select * from cron.job order by jobname`];
}
