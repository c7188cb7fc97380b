import { Books } from "../books.ts";
import type { BenchDatabase } from "../cluster.ts";
import type { Contender } from "../contender.ts";
import { dibs } from "../contenders/dibs.ts";
import { contenders } from "../contenders/index.ts";
import { limit } from "../contenders/limit.ts";
import { type Cell, enqueueAll, type Figures, type Scale } from "../workload.ts";

const WORKERS = 4;

/** Draining while somebody holds an old snapshot, which no vacuum may clean up behind. */
export function pinnedCells({ quick, tasks = quick ? 10_000 : 200_000 }: Scale): Cell[] {
  return (quick ? [100] : [10, 100]).map((batch) => ({
    workload: "pinned",
    name: `W${WORKERS} b${batch}`,
    contenders: quick ? [dibs, limit] : contenders.filter(({ batches }) => batches),
    measure: (contender, database) => measurePinned(contender, database, batch, tasks),
  }));
}

async function measurePinned(
  contender: Contender,
  database: BenchDatabase,
  batch: number,
  tasks: number,
): Promise<Figures> {
  const queue = await contender.open(database);
  await enqueueAll(queue, tasks);
  await database.superuser`analyze`;
  const holder = database.connect();
  await holder.unsafe("begin isolation level repeatable read; select 1");
  const books = new Books(tasks);
  await queue.drain({ workers: WORKERS, batch, execute: books.execute, signal: books.signal });
  books.end();
  books.check(await queue.left());
  await queue[Symbol.asyncDispose]();
  return {
    executed: books.executed,
    tasks_per_second: books.rate(0.05, 1),
    // The very first tasks warm up connections and plans.
    last_tenth_against_first: books.rate(0.9, 0.999) / books.rate(0.05, 0.15),
  };
}
