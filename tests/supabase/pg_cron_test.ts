// The schedule with the real pg_cron: Debian's, in a PostgreSQL 15 that is set up as a hosted project is.
import assert from "node:assert/strict";
import { join } from "node:path";
import postgres from "postgres";
import { applyMigrations, listMigrations } from "../../scripts/stack/migrations.ts";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { eventually } from "../support/eventually.ts";
import { testStack } from "../support/stack.ts";

const PROGRAMS = "/usr/lib/postgresql/15/bin";
const CONTROL_FILE = "/usr/share/postgresql/15/extension/pg_cron.control";

/** pg_cron 1.4 starts jobs at full minutes only. */
const A_MINUTE_AND_A_LITTLE = 90;

Deno.test("with the real pg_cron", async (t) => {
  if (!await isThere(CONTROL_FILE)) {
    const missing = `there is no ${CONTROL_FILE} (Debian: apt-get install postgresql-15-cron)`;
    if (Deno.env.has("CI")) throw new Error(`The schedule cannot be tested: ${missing}`);
    return console.error(`NOT RUN WITH THE REAL PG_CRON: ${missing}`);
  }
  await using stack = await testStack({
    postgres: {
      programs: PROGRAMS,
      settings: {
        shared_preload_libraries: "pg_cron",
        "cron.database_name": "postgres",
        "cron.use_background_workers": "on",
        max_worker_processes: 20,
      },
    },
  });
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await using _closed = { [Symbol.asyncDispose]: () => sql.end() };
  const jobs = async () => [...await sql`select * from cron.job order by jobname`];

  await t.step(
    "the migrations schedule the tick, by minutes where it knows no seconds",
    async () => {
      const [{ extversion }] =
        await sql`select extversion from pg_extension where extname = 'pg_cron'`;
      assert.equal(extversion, "1.4-1");
      assert.deepEqual(
        (await jobs()).map(({ jobname, schedule, username, database, active }) => [
          jobname,
          schedule,
          username,
          database,
          active,
        ]),
        [
          ["dibs-prune", "7 * * * *", "postgres", "postgres", true],
          ["dibs-tick", "* * * * *", "postgres", "postgres", true],
        ],
      );
    },
  );

  await t.step("applied again they change nothing", async () => {
    const before = await jobs();
    await applyMigrations(sql, await listMigrations());
    assert.deepEqual(await jobs(), before);
  });

  await t.step("a tick of it reaches the functions, and what is due completes", async () => {
    // Due in a moment, so that enqueueing it wakes nobody.
    const [{ id }] = await sql`
      select id from public.enqueue_tasks(${
      sql.json([{
        type: "generate_care_plan",
        run_at: new Date(Date.now() + 1_000).toISOString(),
        payload: {
          email: "a@example.org",
          transcript: "I sleep badly.",
          session_id: "s",
          blueprint_id: "b",
          host_url: "https://example.org",
        },
      }])
    })`;
    await eventually("its completion", async () => {
      const [{ status }] = await sql`select status from public.tasks where id = ${id}`;
      return status === "completed";
    }, A_MINUTE_AND_A_LITTLE);
    const dispatches = await sql`select reason, problem, drains from dibs.dispatch`;
    assert.deepEqual([...dispatches], [{ reason: "tick", problem: null, drains: 1 }]);
    const log = await Deno.readTextFile(join(stack.stateDir, "postgres/postgres.log"));
    assert.match(log, /cron job \d+ starting: select dibs\.tick\(\)/);
    await eventually("the run in its history", async () => {
      const runs = await sql`
        select status from cron.job_run_details where command = 'select dibs.tick()' and status = 'succeeded'`;
      return runs.length > 0;
    });
  });

  await t.step("the role of the jobs may prune their history", async () => {
    await sql`
      insert into cron.job_run_details (jobid, runid, username, end_time)
      select jobid, -1, 'postgres', now() - interval '2 days' from cron.job where jobname = 'dibs-tick'`;
    const [{ cron_runs }] = await sql`select cron_runs::int from dibs.prune()`;
    assert.equal(cron_runs, 1);
  });

  await t.step("uninstalled, nothing is scheduled any more", async () => {
    await sql.unsafe(await Deno.readTextFile(join(PROJECT_DIR, "supabase/uninstall.sql")));
    assert.deepEqual(await jobs(), []);
  });
});

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
