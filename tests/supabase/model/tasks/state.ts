import { Requests } from "../requests.ts";
import type { Row } from "./calls.ts";

export interface Task {
  id: string;
  type: string;
  priority: number;
  maxAttempts: number;
  key: string | null;
  /** When it was to run as it was enqueued: what its age is counted from. */
  enqueuedFor: number;
  status: "pending" | "processing" | "completed" | "failed" | "cancelled";
  /** From when on a pending task can be claimed. */
  runAt: number;
  /** When it went back to the place where it waits, if it had that before. */
  backSince: number;
  attempts: Attempt[];
  /** How it ended, and by whom. */
  ended: (By & { at: number }) | null;
  result: number | null;
  progress: number | null;
}

/** An attempt that did not complete; `retried` is where counting starts anew. */
export interface Attempt {
  outcome: "failed" | "lost" | "retried";
  by: By;
  endedAt: number;
  error: string | null;
}

/** Who had a task, since when and by which grant; nobody where a person decided. */
export interface By {
  worker: string | null;
  startedAt: number | null;
  fence: string | null;
}

export interface Lease extends By {
  fence: string;
  worker: string;
  startedAt: number;
  expiresAt: number;
  held: Set<Task>;
}

export const NOBODY: By = { worker: null, startedAt: null, fence: null };

/** All tasks and leases there are, and where a task goes. */
export class Tasks {
  now = 0;
  readonly tasks = new Map<string, Task>();
  readonly leases = new Map<string, Lease>();
  readonly requests = new Requests();
  /** Every id and every grant there ever was. */
  readonly ids: string[] = [];
  readonly grants: { fence: string; ids: string[] }[] = [];
  /** What the database chose and only a look at the tasks can tell. */
  readonly questions: ((rows: Map<string, Row>) => void)[] = [];

  /** The rows of `tasks`. Those that are seen tell what the database chose. */
  look(seen: Row[]): Row[] {
    const rows = new Map(seen.map((row) => [row.id, row]));
    for (const question of this.questions.splice(0)) question(rows);
    return this.all().map((task) => this.row(task)).sort(byId);
  }

  row(task: Task): Row {
    const lease = this.leaseOf(task);
    const by = lease ?? task.ended;
    const counted = lease || task.status === "completed" ? 1 : 0;
    return {
      id: task.id,
      type: task.type,
      status: task.status,
      started_at: by?.startedAt ?? null,
      completed_at: task.ended?.at ?? null,
      error: task.status === "completed" ? null : task.attempts.at(-1)?.error ?? null,
      priority: task.priority,
      run_at: task.status === "pending" ? task.runAt : task.enqueuedFor,
      attempts: count(task, "failed") + count(task, "lost") + counted,
      max_attempts: task.maxAttempts,
      unique_key: task.key,
      result: task.result,
      progress: task.progress,
      worker_id: by?.worker ?? null,
      lease_expires_at: lease?.expiresAt ?? null,
    };
  }

  /** Moments at which something happens by itself. */
  moments(): number[] {
    const due = this.all().filter(({ status }) => status === "pending").map(({ runAt }) => runAt);
    return [...this.leases.values()].map(({ expiresAt }) => expiresAt).concat(due);
  }

  // Where a task goes ------------------------------------------------------------------------------

  hold(tasks: Task[], lease: Omit<Lease, "held">): void {
    for (const task of tasks) task.status = "processing";
    this.leases.set(lease.fence, { ...lease, held: new Set(tasks) });
  }

  /** Takes a task from whoever holds it. */
  withdraw(task: Task): void {
    const lease = this.leaseOf(task);
    lease?.held.delete(task);
    if (lease?.held.size === 0) this.leases.delete(lease.fence);
  }

  wait(task: Task, runAt: number): void {
    Object.assign(task, { status: "pending", runAt, backSince: -Infinity, ended: null });
  }

  /** Tasks wait again where they did: those of a type and priority together, where the oldest did. */
  giveBack(tasks: Task[]): void {
    for (const alike of Map.groupBy(tasks, laneOf).values()) {
      const place = Math.min(this.now, ...alike.map(({ enqueuedFor }) => enqueuedFor));
      for (const task of alike) {
        this.wait(task, place);
        task.backSince = this.now;
      }
    }
  }

  end(task: Task, status: Task["status"], by: By, at = this.now): void {
    const { worker, startedAt, fence } = by;
    Object.assign(task, { status, ended: { worker, startedAt, fence, at } });
  }

  note(task: Task, outcome: Attempt["outcome"], by: By, error: string | null): void {
    const { worker, startedAt, fence } = by;
    task.attempts.push({ outcome, by: { worker, startedAt, fence }, endedAt: this.now, error });
  }

  // Small questions --------------------------------------------------------------------------------

  all(): Task[] {
    return [...this.tasks.values()];
  }

  leaseOf(task: Task): Lease | undefined {
    return [...this.leases.values()].find(({ held }) => held.has(task));
  }

  /** Leases that have run out. Until somebody takes them back they still count. */
  overdue(): Lease[] {
    return [...this.leases.values()].filter(({ expiresAt }) => expiresAt < this.now);
  }

  /** The unfinished task that has this unique key. */
  holderOf(type: string, key: string | null): Task | undefined {
    return this.all().find((task) =>
      key !== null && task.key === key && task.type === type && !task.ended
    );
  }
}

/** Attempts that failed or were lost, since somebody last let the task run again. */
export function count(task: Task, outcome: "failed" | "lost"): number {
  const again = task.attempts.findLastIndex((attempt) => attempt.outcome === "retried");
  return task.attempts.slice(again + 1).filter((attempt) => attempt.outcome === outcome).length;
}

export const laneOf = ({ type, priority }: { type: string; priority: number }): string =>
  `${type} ${priority}`;

export const byId = (a: { id: string }, b: { id: string }): number => a.id < b.id ? -1 : 1;
