import { delay } from "@std/async/delay";
import { Books } from "../books.ts";
import type { BenchDatabase } from "../cluster.ts";
import type { Contender, Queue } from "../contender.ts";
import { contenders } from "../contenders/index.ts";
import { holdSnapshot } from "../snapshot.ts";
import { type Cell, type Figures, newTask, type Scale } from "../workload.ts";

const WORKERS = 4;
const BATCH = 100;
/** So many tasks are enqueued in a call, and at most so many wait. */
const PER_CALL = 100;
const BACKLOG = 2_000;

const MEASURED = ["dibs", "limit", "pgmq"];

/** Enqueueing and draining at once, with a short backlog; also under an old snapshot. */
export function steadyCells({ quick, tasks = quick ? 4_000 : 60_000 }: Scale): Cell[] {
  return [false, true].map((pinned) => ({
    workload: "steady",
    name: `W${WORKERS} b${BATCH}${pinned ? ", pinned" : ""}`,
    contenders: contenders.filter(({ name }) => MEASURED.includes(name)),
    async measure(contender, database) {
      await using _snapshot = pinned ? await holdSnapshot(database) : null;
      return await measureSteady(contender, database, tasks);
    },
  }));
}

async function measureSteady(
  contender: Contender,
  database: BenchDatabase,
  tasks: number,
): Promise<Figures> {
  const queue = await contender.open(database);
  const books = new Books(tasks, 10_000);
  const [enqueued] = await Promise.all([
    feed(queue, tasks, books),
    queue.drain({
      workers: WORKERS,
      batch: BATCH,
      execute: books.execute,
      signal: books.signal,
      untilAborted: true,
      onCall: books.onCall,
    }),
  ]);
  books.end();
  books.check(tasks - enqueued + await queue.left());
  await queue[Symbol.asyncDispose]();
  return { ...books.figures(), ...books.change() };
}

/** Enqueues while few enough wait, and returns how many it came to. */
async function feed(queue: Queue, tasks: number, books: Books): Promise<number> {
  let enqueued = 0;
  while (enqueued < tasks && !books.signal.aborted) {
    if (enqueued - books.executed >= BACKLOG) {
      await delay(1);
      continue;
    }
    const length = Math.min(PER_CALL, tasks - enqueued);
    await queue.enqueue(Array.from({ length }, (_, i) => newTask(enqueued + i)));
    enqueued += length;
  }
  return enqueued;
}
