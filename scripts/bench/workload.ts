import type { BenchDatabase } from "./cluster.ts";
import type { Contender, Queue, Task } from "./contender.ts";

/** How much work there is to be. */
export interface Scale {
  /** The small set of cells. */
  quick: boolean;
  /** How many tasks in each cell, where somebody said so. */
  tasks?: number;
}

/** What was measured once, by name. */
export type Figures = Record<string, number>;

/** One thing to measure, for each of its contenders, in a fresh database each time. */
export interface Cell {
  workload: string;
  /** Its name within the workload. */
  name: string;
  contenders: Contender[];
  /** The cell in which those who cannot batch did the same. */
  oneByOne?: string;
  /** Where the way there matters too, `keepCourse` takes `Books.course()`. */
  measure(
    contender: Contender,
    database: BenchDatabase,
    keepCourse: (course: number[]) => void,
  ): Promise<Figures>;
}

const TASKS_PER_CALL = 1000;

/** Enqueues so many tasks, 1,000 per call. */
export async function enqueueAll(
  queue: Queue,
  tasks: number,
  make: (n: number) => Task = newTask,
): Promise<void> {
  for (let first = 0; first < tasks; first += TASKS_PER_CALL) {
    const length = Math.min(TASKS_PER_CALL, tasks - first);
    await queue.enqueue(Array.from({ length }, (_, i) => make(first + i)));
  }
}

/** With a payload of about 100 bytes. */
export function newTask(n: number): Task {
  const to = `somebody-${n}@example.com`;
  return { payload: { n, to, subject: "Your weekly summary is ready to be read" } };
}
