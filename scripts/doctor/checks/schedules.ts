import { count } from "../../numbers.ts";
import type { Check } from "../check.ts";
import { error, ok } from "../finding.ts";
import { literal } from "../sql_text.ts";

/** Recurring schedules run when they are due. */
export const schedulesRun: Check = {
  id: "schedules_run",
  needs: ["dibs"],
  async look(project) {
    const [{ schedules, late, name, problem }] = await project.read((sql) =>
      sql`
        select
          (select count(*)::int from dibs.recurring_schedule where not paused) as schedules,
          (select count(*)::int from dibs.recurring_schedule
            where not paused and next_tick < dibs.clock() - interval '3 minutes') as late,
          s.name, s.problem
        from (select) one
        left join (
          select * from dibs.recurring_schedule where not paused and next_tick < dibs.clock() - interval '3 minutes'
          order by problem is null, next_tick limit 1
        ) s on true`
    );
    if (late === 0) return ok(`${count(schedules, "recurring schedule")}, none of them late.`);
    const others = late > 1 ? `, and ${count(late - 1, "more")}` : "";
    if (problem === null) {
      return error(
        `The schedule ${name}${others} was due minutes ago and did not run: nothing ticks.`,
        { sql: "select dibs.tick();" },
      );
    }
    return error(`The schedule ${name}${others} cannot enqueue its task: ${problem}.`, {
      by_hand: `Say it anew with put_schedule, or pause it: select pause_schedule(${
        literal(name)
      });`,
    });
  },
};
