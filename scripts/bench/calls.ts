import { delay } from "@std/async/delay";
import { type DrainOptions, FailOnce, type Payload } from "./contender.ts";

/** A worker that asks for its tasks. `failed` are places in what it got last. */
export interface Caller {
  /** Settles what it holds and claims up to a batch; nothing when no task is due. */
  next(failed: number[]): Promise<Payload[]>;
  /** Settles what it holds. */
  finish(failed: number[]): Promise<void>;
}

const POLL_MS = 1;

/** Drains a queue with workers that call: next, execute, next. */
export async function drainByCalls(callers: Caller[], options: DrainOptions): Promise<void> {
  await Promise.all(callers.map((caller) => work(caller, options)));
}

async function work(caller: Caller, options: DrainOptions): Promise<void> {
  let failed: number[] = [];
  while (!options.signal.aborted) {
    const began = performance.now();
    const tasks = await caller.next(failed);
    options.onCall?.(performance.now() - began);
    failed = await executeAll(tasks, options);
    if (tasks.length > 0) continue;
    if (!options.untilAborted) return;
    await delay(POLL_MS);
  }
  await caller.finish(failed);
}

/** Executes one after the other and returns the places of those that failed. */
async function executeAll(tasks: Payload[], { execute }: DrainOptions): Promise<number[]> {
  const failed: number[] = [];
  for (const [place, task] of tasks.entries()) {
    try {
      const executing = execute(task);
      // Waiting for what is done already would cost every task a turn of the event loop.
      if (executing) await executing;
    } catch (error) {
      if (!(error instanceof FailOnce)) throw error;
      failed.push(place);
    }
  }
  return failed;
}
