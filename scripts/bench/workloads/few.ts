import { delay } from "@std/async/delay";
import { Books } from "../books.ts";
import type { BenchDatabase } from "../cluster.ts";
import type { Contender } from "../contender.ts";
import { contenders } from "../contenders/index.ts";
import { percentile } from "../percentile.ts";
import { type Cell, type Figures, newTask, type Scale } from "../workload.ts";

const WORKERS = 16;
const TASK_MS = 2;

const MEASURED = ["dibs", "guide", "pgmq"];
const QUICK = ["dibs", "guide"];

/** Many idle workers get a few tasks that take a moment: how long until all are done. */
export function fewCells({ quick }: Scale): Cell[] {
  const sizes = [{ tasks: 100, batch: 1 }, { tasks: 1_000, batch: 10 }];
  return sizes.slice(0, quick ? 1 : 2).map(({ tasks, batch }) => ({
    workload: "few",
    name: `W${WORKERS} b${batch}, ${tasks.toLocaleString("en")} of ${TASK_MS} ms`,
    contenders: contenders.filter(({ name, batches }) =>
      (quick ? QUICK : MEASURED).includes(name) && (batches || batch === 1)
    ),
    measure: (contender, database) => measureFew(contender, database, tasks, batch, quick ? 2 : 10),
  }));
}

async function measureFew(
  contender: Contender,
  database: BenchDatabase,
  tasks: number,
  batch: number,
  rounds: number,
): Promise<Figures> {
  const queue = await contender.open(database);
  // The first round warms up, and is not counted.
  const books = new Books(tasks * (rounds + 1), 30_000);
  let onDone = () => {};
  books.signal.addEventListener("abort", () => onDone());
  const draining = queue.drain({
    workers: WORKERS,
    batch,
    async execute(task) {
      await delay(TASK_MS);
      books.execute(task);
      if (books.executed % tasks === 0) onDone();
    },
    signal: books.signal,
    untilAborted: true,
  });
  const took: number[] = [];
  let round = 0;
  for (; round <= rounds && !books.signal.aborted; round++) {
    const began = performance.now();
    const done = new Promise<void>((resolve) => onDone = resolve);
    await queue.enqueue(Array.from({ length: tasks }, (_, i) => newTask(round * tasks + i)));
    await done;
    took.push(performance.now() - began);
  }
  await draining;
  books.end();
  books.check((rounds + 1 - round) * tasks + await queue.left());
  await queue[Symbol.asyncDispose]();
  return { until_done_ms: percentile(took.slice(1), 0.5) };
}
