import { Books } from "../books.ts";
import type { BenchDatabase } from "../cluster.ts";
import type { Contender } from "../contender.ts";
import { contenders } from "../contenders/index.ts";
import { startFootprint } from "../footprint.ts";
import { type Cell, enqueueAll, type Figures, type Scale } from "../workload.ts";

const WORKERS = 4;
const TASKS = new Map([[1, 10_000], [10, 40_000], [100, 100_000]]);
const QUICK_TASKS = new Map([[1, 400], [100, 8_000]]);

/** Draining a backlog with several workers, by how many tasks they take at a time. */
export function drainCells({ quick, tasks }: Scale): Cell[] {
  return Array.from(quick ? QUICK_TASKS : TASKS, ([batch, backlog]) => ({
    workload: "drain",
    name: `W${WORKERS} b${batch}`,
    contenders: contenders.filter(({ batches }) => batches || batch === 1),
    oneByOne: `W${WORKERS} b1`,
    measure: (contender, database) => measureDrain(contender, database, batch, tasks ?? backlog),
  }));
}

async function measureDrain(
  contender: Contender,
  database: BenchDatabase,
  batch: number,
  tasks: number,
): Promise<Figures> {
  const queue = await contender.open(database);
  const footprint = await startFootprint(database);
  await enqueueAll(queue, tasks);
  await database.superuser`analyze`;
  const books = new Books(tasks);
  await queue.drain({ workers: WORKERS, batch, execute: books.execute, signal: books.signal });
  books.end();
  books.check(await queue.left());
  await queue[Symbol.asyncDispose]();
  return {
    executed: books.executed,
    // The first tenth warms up: connections, plans, compiled code.
    tasks_per_second: books.rate(0.1, 1),
    ...await footprint.end(tasks),
  };
}
