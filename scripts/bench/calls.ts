import type { DrainOptions, Payload } from "./contender.ts";

/** A worker that asks for its tasks. */
export interface Caller {
  /** Settles what it holds and claims up to a batch; nothing when no task is due. */
  next(): Promise<Payload[]>;
  /** Settles what it holds. */
  finish(): Promise<void>;
}

/** Drains a queue with workers that call: next, execute, next. */
export async function drainByCalls(
  callers: Caller[],
  { execute, signal }: DrainOptions,
): Promise<void> {
  await Promise.all(callers.map(async (caller) => {
    while (!signal.aborted) {
      const tasks = await caller.next();
      if (tasks.length === 0) return;
      for (const task of tasks) execute(task);
    }
    await caller.finish();
  }));
}
