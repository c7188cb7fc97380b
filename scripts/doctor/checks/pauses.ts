import { count, number } from "../../numbers.ts";
import { age } from "../ages.ts";
import type { Check } from "../check.ts";
import { ok, warning } from "../finding.ts";
import { literal } from "../sql_text.ts";

/** Deployments and repairs are over by then. */
const LONG = "1 hour";

/** No work waits behind a pause that somebody forgot. */
export const pausedWork: Check = {
  id: "paused_work",
  needs: ["dibs"],
  async look(project) {
    // Everything first: whoever resumes a part of it would see nothing of that.
    const [longest, ...others] = await project.read((sql) =>
      sql<{ type: string; key: string; due: number; seconds: number }[]>`
        with paused as (
          select * from dibs.gate where paused_at < dibs.clock() - ${LONG}::interval
        ),
        due as (
          select type, key, dibs.count_of(run) as tasks from dibs.gated where exists (select from paused)
          union all
          select type, '', dibs.count_of(run) from dibs.ready where run_at <= dibs.clock() and exists (select from paused)
        )
        select p.type, p.key, sum(d.tasks)::float8 as due, extract(epoch from dibs.clock() - p.paused_at)::float8 as seconds
        from paused p
        join due d on p.scope = 'everything' or d.type = p.type and (p.scope = 'type' or d.key = p.key)
        group by p.type, p.key, p.paused_at
        order by p.type <> '', due desc`
    );
    if (!longest) return ok("No work waits behind a pause for long.");
    const { type, key, due, seconds } = longest;
    const what = type === "" ? "Everything" : key === "" ? type : `The key ${key} of ${type}`;
    const more = others.length > 0 ? `; ${count(others.length, "more pause")} like it` : "";
    return warning(
      `${what} has been paused for ${age(seconds)}, and ${number(due)} due wait for that${more}.`,
      { sql: `select resume_tasks(${[type, key].filter(Boolean).map(literal).join(", ")});` },
    );
  },
};
