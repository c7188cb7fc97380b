import type { BenchCluster, BenchDatabase } from "./cluster.ts";

/** What the bench puts into every task; `n` tells it apart. */
export interface Payload {
  n: number;
  to: string;
  subject: string;
  /** Padding, where the size of payloads is what is measured. */
  body?: string;
}

/** One task to enqueue. */
export interface Task {
  payload: Payload;
  /** The smaller, the earlier; 0 when not given. */
  priority?: number;
  /** Not before so many seconds from now. */
  delaySeconds?: number;
  /** `bench` when not given. */
  type?: string;
  /** Whose it is. */
  key?: string;
}

/** A way of keeping a queue in PostgreSQL. */
export interface Contender {
  name: string;
  /** What is known of a task once it is done. */
  keeps: string;
  /** Whether a worker can take more than one task at a time. */
  batches: boolean;
  /** Whether it heeds a priority. */
  priorities: boolean;
  /** Whether it heeds a delay. */
  delays: boolean;
  /** Whether one queue has tasks of many types, of which a worker takes whatever is next. */
  types: boolean;
  /** Why it cannot be measured on this cluster, and the mend; null when it can. */
  missing?(cluster: BenchCluster): Promise<string | null>;
  /** Makes its tables in an empty database. Contenders that share the function share the tables. */
  install(database: BenchDatabase): Promise<void>;
  open(database: BenchDatabase): Promise<Queue>;
}

/** The queue of one contender in one database. */
export interface Queue extends AsyncDisposable {
  /** Enqueues up to 1,000 tasks in one transaction. What a contender does not heed it ignores. */
  enqueue(tasks: Task[]): Promise<void>;
  /** Executes tasks until none is due or the signal comes, and leaves nothing half done. */
  drain(options: DrainOptions): Promise<void>;
  /** Claims up to so many tasks over one connection, and keeps them; returns how many. */
  claim?(batch: number): Promise<number>;
  /** How many tasks have not ended. */
  left(): Promise<number>;
}

/** How a queue is drained. */
export interface DrainOptions {
  /** How many work at once, each with connections of its own. */
  workers: number;
  /** How many tasks a worker takes at a time. */
  batch: number;
  /** The handler. When it throws {@link FailOnce}, that task has failed, and no other with it. */
  execute(task: Payload): void | Promise<void>;
  signal: AbortSignal;
  /** Does not stop when no task is due: asks again until the signal comes. */
  untilAborted?: boolean;
  /** Only tasks of these types, where a contender has types. */
  types?: string[];
  /** Is told how many milliseconds each claim took, with the settling of what was held before. */
  onCall?(milliseconds: number): void;
}

/** Thrown by a handler whose task is to fail now and to be tried again. */
export class FailOnce extends Error {}
