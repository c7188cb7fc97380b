import type { BenchDatabase } from "./cluster.ts";

/** What the bench puts into every task; `n` tells it apart. */
export interface Payload {
  n: number;
  to: string;
  subject: string;
}

/** A way of keeping a queue in PostgreSQL. */
export interface Contender {
  name: string;
  /** What is known of a task once it is done. */
  keeps: string;
  /** Whether a worker can take more than one task at a time. */
  batches: boolean;
  /** Makes its tables in an empty database. Contenders that share the function share the tables. */
  install(database: BenchDatabase): Promise<void>;
  open(database: BenchDatabase): Promise<Queue>;
}

/** The queue of one contender in one database. */
export interface Queue extends AsyncDisposable {
  /** Enqueues up to 1,000 tasks in one transaction. */
  enqueue(tasks: Payload[]): Promise<void>;
  /** Executes tasks until none is due or the signal comes, and leaves nothing half done. */
  drain(options: DrainOptions): Promise<void>;
  /** How many tasks have not ended. */
  left(): Promise<number>;
}

/** How a queue is drained. */
export interface DrainOptions {
  /** How many work at once, each with connections of its own. */
  workers: number;
  /** How many tasks a worker takes at a time. */
  batch: number;
  /** The handler. */
  execute(task: Payload): void;
  signal: AbortSignal;
}
