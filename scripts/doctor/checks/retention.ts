import { number } from "../../numbers.ts";
import { age } from "../ages.ts";
import type { Check } from "../check.ts";
import { ok, warning } from "../finding.ts";
import { literal } from "../sql_text.ts";

/** The hourly job, and the ticks after it, are that late only where they do not run or do not keep up. */
const LATE = "3 hours";

/** Some gigabytes of history. */
const MANY_TASKS = 10_000_000;

/** Ended tasks go when their time is over, and it is over some day. */
export const retention: Check = {
  id: "retention",
  needs: ["dibs"],
  async look(project) {
    const [found] = await project.read((sql) =>
      sql`
        select late.type, late.seconds, log.tasks, log.size,
          s.keep_ended_tasks is null and not exists (select from dibs.retention) as for_ever
        from dibs.settings s,
          lateral (
            select reltuples::float8 as tasks, pg_size_pretty(pg_total_relation_size(oid)) as size
            from pg_class where oid = 'dibs.log'::regclass
          ) log
          left join lateral (
            select t.type, extract(epoch from b.before - o.oldest)::float8 as seconds
            from dibs.ended_types() t(type), lateral (select dibs.prune_before(t.type) as before offset 0) b,
              lateral (select min(completed_at) as oldest from dibs.outcome o where o.type = t.type) o
            where o.oldest < b.before - ${LATE}::interval order by 2 desc limit 1
          ) late on true`
    );
    if (found.seconds !== null) {
      const of = found.type === "" ? "" : ` of type ${literal(found.type)}`;
      return warning(
        `Ended tasks${of} are still there ${age(found.seconds)} after they were to be deleted.`,
        { sql: "select dibs.prune();" },
      );
    }
    if (found.for_ever && found.tasks > MANY_TASKS) {
      return warning(
        `Nothing says how long ended tasks stay: the log has ${
          number(found.tasks)
        } tasks (${found.size}) and only grows.`,
        { sql: "select dibs.configure('keep_ended_tasks', '30 days');" },
      );
    }
    return ok("Ended tasks go when their time is over.");
  },
};
