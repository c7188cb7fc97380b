import { delay } from "@std/async/delay";
import { Books } from "../books.ts";
import type { BenchDatabase } from "../cluster.ts";
import type { Contender } from "../contender.ts";
import { contenders } from "../contenders/index.ts";
import { percentile } from "../percentile.ts";
import { type Cell, enqueueAll, type Figures, newTask, type Scale } from "../workload.ts";

/** Between two tasks, so that the workers are idle when one comes. */
const PAUSE_MS = 5;
const WARM_UP = 20;

const MEASURED = ["dibs", "guide", "limit", "pgmq", "graphile_worker"];

/** How long a task takes from being enqueued to its handler, when the workers have nothing to do. */
export function latencyCells({ quick, tasks = quick ? 60 : 300 }: Scale): Cell[] {
  return [1, 4].map((workers) => ({
    workload: "latency",
    name: `W${workers} b1`,
    contenders: contenders.filter(({ name }) => MEASURED.includes(name)),
    measure: (contender, database) => measureLatency(contender, database, workers, tasks),
  }));
}

async function measureLatency(
  contender: Contender,
  database: BenchDatabase,
  workers: number,
  tasks: number,
): Promise<Figures> {
  const queue = await contender.open(database);
  const books = new Books(tasks + WARM_UP, 20_000);
  const began: number[] = [];
  const took: number[] = [];
  let onDone = () => {};
  books.signal.addEventListener("abort", () => onDone());
  // Some prepare for the types they find.
  await enqueueAll(queue, WARM_UP);
  const draining = queue.drain({
    workers,
    batch: 1,
    execute(task) {
      took[task.n] = performance.now() - began[task.n];
      books.execute(task);
      if (task.n >= WARM_UP) onDone();
    },
    signal: books.signal,
    untilAborted: true,
  });
  let n = WARM_UP;
  for (; n < tasks + WARM_UP && !books.signal.aborted; n++) {
    const done = new Promise<void>((resolve) => onDone = resolve);
    await delay(PAUSE_MS);
    began[n] = performance.now();
    await queue.enqueue([newTask(n)]);
    await done;
  }
  await draining;
  books.end();
  books.check(tasks + WARM_UP - n + await queue.left());
  await queue[Symbol.asyncDispose]();
  const warm = took.slice(WARM_UP);
  return { latency_p50_ms: percentile(warm, 0.5), latency_p99_ms: percentile(warm, 0.99) };
}
