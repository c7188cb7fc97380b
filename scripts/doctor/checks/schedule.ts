import { count } from "../../numbers.ts";
import { age } from "../ages.ts";
import type { Check } from "../check.ts";
import { error, info, ok, warning } from "../finding.ts";
import type { Database } from "../project.ts";

const TICK = "select dibs.tick()";
const SCHEDULE_ANEW = { sql: "select dibs.unschedule();\nselect dibs.schedule();" };
const RESTART =
  "restart the database, and pg_cron with it: Dashboard → Settings → General → Restart project.";

/** The tick is a job of pg_cron, as the settings want it. */
export const tickScheduled: Check = {
  id: "tick_scheduled",
  needs: ["dibs", "pg_cron"],
  async look(project) {
    const [job] = await project.read((sql) =>
      sql`
        select s.tick_seconds, j.jobid, j.schedule, j.command, j.active
        from dibs.settings s left join cron.job j on j.jobname = 'dibs-tick'`
    );
    if (!job.jobid) return error("The job dibs-tick is not there: nothing ticks.", SCHEDULE_ANEW);
    if (!job.active) return error("The job dibs-tick is not active: nothing ticks.", SCHEDULE_ANEW);
    if (job.command !== TICK) {
      return error(`The job dibs-tick runs "${job.command}" and not "${TICK}".`, SCHEDULE_ANEW);
    }
    const bySeconds = knowsSeconds(await project.database());
    const wanted = bySeconds ? `${job.tick_seconds} seconds` : "* * * * *";
    if (job.schedule !== wanted) {
      return warning(
        `The job dibs-tick is scheduled by "${job.schedule}", where the settings mean "${wanted}".`,
        SCHEDULE_ANEW,
      );
    }
    return bySeconds
      ? ok(`dibs-tick runs every ${job.tick_seconds} seconds.`)
      : info("dibs-tick runs once a minute, as often as a pg_cron before 1.5 can.");
  },
};

/** What nobody needs any more is deleted. */
export const pruneScheduled: Check = {
  id: "prune_scheduled",
  needs: ["dibs", "pg_cron"],
  async look(project) {
    const [job] = await project.read((sql) =>
      sql`select active from cron.job where jobname = 'dibs-prune'`
    );
    if (job?.active) return ok("dibs-prune runs.");
    return warning(
      `The job dibs-prune is not ${
        job ? "active" : "there"
      }: what pg_cron notes of each run piles up.`,
      SCHEDULE_ANEW,
    );
  },
};

/** pg_cron does run the tick, and that ends well. */
export const tickRuns: Check = {
  id: "tick_runs",
  needs: ["dibs", "pg_cron"],
  async look(project) {
    const [job] = await project.read((sql) =>
      sql<{ runs: Run[] | null; slow: number }[]>`
        select s.slow, (
          select jsonb_agg(to_jsonb(r) order by r.ago) from (
            select d.status, d.return_message as message,
              extract(epoch from clock_timestamp() - d.start_time)::float8 as ago
            from cron.job_run_details d where d.jobid = j.jobid and d.start_time is not null
            order by d.runid desc limit 20
          ) r) as runs
        from cron.job j, lateral (
          select case when j.schedule ~ 'second' then greatest(60, 3 * tick_seconds) else 180 end as slow
          from dibs.settings
        ) s
        where j.jobname = 'dibs-tick' and j.active`
    );
    if (!job) return info("Not looked at: there is no active job dibs-tick.");
    const { runs, slow } = job;
    if (!runs) {
      return warning("pg_cron has not run dibs-tick yet.", {
        by_hand: `Look again in two minutes; if it still has not, ${RESTART}`,
      });
    }
    if (runs[0].ago > slow) {
      return error(`pg_cron has not run dibs-tick for ${age(runs[0].ago)}.`, {
        by_hand: `Look at docs/operations.md, then ${RESTART}`,
      });
    }
    const failed = failedInARow(runs);
    if (failed.length === 0) return ok(`dibs-tick ran ${age(runs[0].ago)} ago.`);
    const says = `The last ${count(failed.length, "run")} of dibs-tick failed: ${
      failed[0].message?.trim()
    }.`;
    const mend = { sql: `${TICK};` };
    return failed.length < 3 ? warning(says, mend) : error(says, mend);
  },
};

interface Run {
  status: string;
  message: string | null;
  ago: number;
}

function failedInARow(runs: Run[]): Run[] {
  const ended = runs.filter(({ status }) => status === "succeeded" || status === "failed");
  const success = ended.findIndex(({ status }) => status === "succeeded");
  return success < 0 ? ended : ended.slice(0, success);
}

/** Before 1.5 pg_cron knows minutes only; what stands in for it knows seconds. */
function knowsSeconds({ extensions: { pg_cron = "1.6" } }: Database): boolean {
  const [major, minor] = pg_cron.split(/[.-]/).map(Number);
  return major > 1 || minor >= 5;
}
