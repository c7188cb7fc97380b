import type { Contender } from "../contender.ts";
import { contenders } from "../contenders/index.ts";
import { measureDrain } from "../drained.ts";
import type { Cell, Scale } from "../workload.ts";

interface Size {
  workers: number;
  batch: number;
  tasks: number;
}

const TASKS = new Map([[1, 4_000], [10, 20_000], [100, 60_000], [1000, 80_000]]);
const SIZES: Size[] = [1, 4, 16].flatMap((workers) =>
  Array.from(TASKS, ([batch, tasks]) => ({ workers, batch, tasks }))
);
const QUICK_SIZES: Size[] = [
  { workers: 4, batch: 1, tasks: 300 },
  { workers: 4, batch: 10, tasks: 1_500 },
  { workers: 4, batch: 100, tasks: 6_000 },
  { workers: 16, batch: 100, tasks: 5_000 },
];

/** Those that take long to fill or to drain are measured in some cells only. */
const EVERYWHERE = ["dibs", "guide", "limit", "pgmq"];
const ELSEWHERE: Record<string, string[]> = {
  "W4 b1": ["dibs_single", "graphile_worker", "pg_boss"],
  "W4 b10": ["dibs_single", "graphile_worker", "pg_boss"],
  "W4 b100": ["dibs_single", "pgq", "graphile_worker", "pg_boss"],
  "W16 b100": ["pgq", "graphile_worker", "pg_boss"],
};
/** What the goals compare. */
const QUICK: Record<string, string[]> = {
  "W4 b1": ["dibs", "guide"],
  "W4 b10": ["dibs", "pgmq"],
  "W4 b100": ["dibs", "dibs_single", "limit", "pgmq"],
  "W16 b100": ["dibs", "pgq", "graphile_worker", "pg_boss"],
};

/** Draining a backlog, by how many workers there are and how many tasks they take at a time. */
export function drainCells({ quick, tasks: wanted }: Scale): Cell[] {
  return (quick ? QUICK_SIZES : SIZES).map(({ workers, batch, tasks }) => {
    const name = `W${workers} b${batch}`;
    return {
      workload: "drain",
      name,
      contenders: contenders.filter((contender) => isMeasured(contender, name, batch, quick)),
      oneByOne: `W${workers} b1`,
      async measure(contender, database) {
        const drain = { workers, batch, tasks: wanted ?? tasks };
        return (await measureDrain(contender, database, drain)).figures;
      },
    };
  });
}

function isMeasured({ name, batches }: Contender, cell: string, batch: number, quick: boolean) {
  if (!batches && batch > 1) return false;
  return (quick ? QUICK[cell] : [...EVERYWHERE, ...ELSEWHERE[cell] ?? []]).includes(name);
}
