// What the server answers, as far as the page shows it.

export type Status = "pending" | "processing" | "completed" | "failed" | "cancelled";
export const STATUSES: Status[] = ["pending", "processing", "completed", "failed", "cancelled"];

export interface Statistic {
  at: string;
  type: string;
  enqueued: number;
  claimed: number;
  completed: number;
  attempts_failed: number;
  failed: number;
  cancelled: number;
  wait_p50_ms: number | null;
  wait_p99_ms: number | null;
  run_p50_ms: number | null;
  run_p99_ms: number | null;
}

export interface Overview {
  project: string;
  status: {
    version: { database: string };
    tasks: Record<Status, number> | null;
    oldest_due_seconds: number | null;
    workers: { worker_id: string }[];
    expired: Record<string, number>;
    schedules: { name: string; problem: string | null }[];
    parked_effects: number;
    schedule: { cron: boolean; net: boolean };
    dispatch: DispatchState;
    gates: TaskGate[];
  };
}

export interface DispatchState {
  failed: number;
  rest_until: string | null;
  invocations: number;
  invocations_left: number | null;
}

export interface Backlog {
  type: string;
  key: string | null;
  due: number;
  later: number;
  /** Not all were counted. */
  more: boolean;
  oldest_due_at: string | null;
  running: number;
}

/** A task, or, after the last that was found so far, only where to go on: then the id is null. */
export type FoundTask = TaskRow | { id: null; cursor: string };

export interface TaskRow {
  id: string;
  type: string;
  status: Status;
  key: string | null;
  order_key: string | null;
  priority: number;
  attempts: number;
  max_attempts: number;
  created_at: string;
  run_at: string;
  started_at: string | null;
  completed_at: string | null;
  worker_id: string | null;
  error: string | null;
  cursor: string;
}

export interface WholeTask {
  task:
    | null
    | Omit<TaskRow, "cursor"> & {
      payload: unknown;
      result: unknown;
      progress: unknown;
      unique_key: string | null;
      lease_expires_at: string | null;
    };
  explanation: {
    state: string;
    reason: string;
    detail: Record<string, unknown> | null;
    until: string | null;
    what_would_change_it: string | null;
  };
  timeline: {
    at: string | null;
    event: string;
    worker_id: string | null;
    attempt: number | null;
    detail: Record<string, unknown> | null;
  }[];
  dependencies: { id: string; status: string; result: unknown; awaited: boolean }[];
}

export interface Worker {
  worker_id: string;
  tasks: number;
  rows: number;
  works_on: string[] | null;
  since: string | null;
  lease_expires_at: string;
}

export interface ClaimProgress {
  source: string;
  work_type: string;
  total: number;
  claimed: number;
  succeeded: number;
  failed: number;
  unclaimed: number;
  per_minute: number | null;
  seconds_left: number | null;
}

export interface FailedRow {
  id: string;
  attempts: number;
  max_attempts: number;
  error: string | null;
  failed_at: string;
  worker_id: string | null;
}

interface Gate {
  key: string | null;
  max_running: number | null;
  rate: number | null;
  period: string | null;
  burst: number | null;
  paused_at: string | null;
  running: number | null;
  retry_after_seconds: number | null;
}

export interface TaskGate extends Gate {
  type: string | null;
  scope: "everything" | "type" | "each key" | "key";
}

export interface ClaimGate extends Gate {
  source: string;
  work_type: string | null;
  scope: "everything" | "work type" | "each key" | "key";
}

export interface Schedule {
  name: string;
  cron: string;
  time_zone: string;
  type: string;
  payload: unknown;
  missed: string;
  paused: boolean;
  next_ticks: string[];
  last_tick: string | null;
  last_task: string | null;
  problem: string | null;
}

export interface ParkedEffect {
  id: string;
  type: string | null;
  work_type: string | null;
  key: string;
  mode: string;
  idempotency_key: string;
  begun_at: string;
  parked_at: string | null;
}

export interface Dispatches {
  dispatch: DispatchState;
  schedule: { cron: boolean; net: boolean };
  dispatches: {
    id: string;
    reason: string;
    state: string;
    made_at: string;
    planned_at: string | null;
    problem: string | null;
    types: string[] | null;
    drains: number | null;
  }[];
}

export interface Examined {
  title: string;
  findings: {
    id: string;
    severity: "ok" | "info" | "warning" | "error";
    says: string;
    mend?: { sql: string } | { command: string } | { by_hand: string };
  }[];
}
