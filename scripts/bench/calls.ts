import { delay } from "@std/async/delay";
import type { Sql } from "postgres";
import type { BenchDatabase } from "./cluster.ts";
import { type DrainOptions, FailOnce, type Payload } from "./contender.ts";

/** A worker that asks for its tasks. `failed` are places in what it got last. */
export interface Caller {
  /** Settles what it holds and claims up to a batch; nothing when no task is due. */
  next(failed: number[]): Promise<Payload[]>;
  /** Settles what it holds. */
  finish(failed: number[]): Promise<void>;
  /** Whether it heeds `failed`. A failure that it could not report ends the drain. */
  reportsFailures?: boolean;
}

const POLL_MS = 1;

/** Drains a queue with workers that call over a connection of their own. */
export async function drainOverConnections(
  database: BenchDatabase,
  newCaller: (sql: Sql, worker: number) => Caller,
  options: DrainOptions,
): Promise<void> {
  const connections = await Promise.all(
    Array.from({ length: options.workers }, () => connect(database)),
  );
  await drainByCalls(connections.map(newCaller), options);
  await Promise.all(connections.map((sql) => sql.end()));
}

/** A connection that is open: nobody is to begin before the others can. */
export async function connect(database: BenchDatabase): Promise<Sql> {
  const sql = database.connect();
  await sql`select 1`;
  return sql;
}

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
    failed = await executeAll(caller, tasks, options);
    if (tasks.length > 0) continue;
    if (!options.untilAborted) return;
    await delay(POLL_MS);
  }
  await caller.finish(failed);
}

/** Executes one after the other and returns the places of those that failed. */
async function executeAll(
  caller: Caller,
  tasks: Payload[],
  { execute }: DrainOptions,
): Promise<number[]> {
  const failed: number[] = [];
  for (const [place, task] of tasks.entries()) {
    try {
      const executing = execute(task);
      // Waiting for what is done already would cost every task a turn of the event loop.
      if (executing) await executing;
    } catch (error) {
      if (!caller.reportsFailures || !(error instanceof FailOnce)) throw error;
      failed.push(place);
    }
  }
  return failed;
}
