import { Books } from "./books.ts";
import type { BenchDatabase } from "./cluster.ts";
import type { Contender, DrainOptions, Task } from "./contender.ts";
import { startFootprint } from "./footprint.ts";
import { holdSnapshot } from "./snapshot.ts";
import { enqueueAll, type Figures } from "./workload.ts";

/** A backlog, and how it is drained. */
export interface Drain extends Pick<DrainOptions, "workers" | "batch" | "untilAborted"> {
  tasks: number;
  make?: (n: number) => Task;
  longestMs?: number;
  /** Whether somebody holds an old snapshot meanwhile. */
  pinned?: boolean;
  /** What comes before a task counts as executed. */
  handle?: DrainOptions["execute"];
}

/** Enqueues a backlog, drains it, and returns the books, with what the whole left behind. */
export async function measureDrain(
  contender: Contender,
  database: BenchDatabase,
  { tasks, make, longestMs, pinned, handle, ...how }: Drain,
): Promise<{ books: Books; figures: Figures }> {
  const queue = await contender.open(database);
  const footprint = await startFootprint(database);
  const snapshot = pinned ? await holdSnapshot(database) : null;
  await enqueueAll(queue, tasks, make);
  await database.superuser`analyze`;
  const books = new Books(tasks, longestMs);
  const execute: DrainOptions["execute"] = handle
    ? (task) => {
      handle(task);
      books.execute(task);
    }
    : books.execute;
  await queue.drain({ ...how, execute, signal: books.signal, onCall: books.onCall });
  books.end();
  books.check(await queue.left());
  await queue[Symbol.asyncDispose]();
  await snapshot?.[Symbol.asyncDispose]();
  // Of a drain that was cut off it would be something else.
  const left = books.executed === tasks ? await footprint.end(tasks) : {};
  return { books, figures: { ...books.figures(), ...left } };
}
