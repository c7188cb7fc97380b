import { contenders } from "../contenders/index.ts";
import { measureDrain } from "../drained.ts";
import type { Cell, Scale } from "../workload.ts";

/** Long enough for Dibs to come to the end, which is what its last tenth is taken from. */
const LONGEST_MS = 20_000;

const MEASURED = ["dibs", "limit", "pgmq"];
const QUICK = ["dibs", "pgmq"];
const QUICK_TASKS = new Map([[10, 3_000], [100, 10_000]]);

/** Draining while somebody holds an old snapshot, which no vacuum may clean up behind. */
export function pinnedCells({ quick, tasks: wanted }: Scale): Cell[] {
  return [10, 100].map((batch) => ({
    workload: "pinned",
    name: `W4 b${batch}`,
    contenders: contenders.filter(({ name }) => (quick ? QUICK : MEASURED).includes(name)),
    async measure(contender, database, keepCourse) {
      const tasks = wanted ?? (quick ? QUICK_TASKS.get(batch)! : 200_000);
      const { books, figures } = await measureDrain(contender, database, {
        workers: 4,
        batch,
        tasks,
        longestMs: LONGEST_MS,
        pinned: true,
      });
      keepCourse(books.course());
      return { tasks, ...figures, ...books.change() };
    },
  }));
}
