// What can be asked about tasks that have keys and gates, and what is answered; the rest is as in ../tasks.
import type {
  Claim,
  Grant,
  Outcome,
  Row as PlainRow,
  Settled,
  Settlement,
} from "../tasks/calls.ts";

export type { Claim, Grant, Outcome, Settled };

/** What a verb is told. In commands, drawn before there are any, ids and fences are numbers. */
export interface Calls<Id = string, Fence = string> {
  enqueue: { tasks: NewTask[] };
  claim: Claim;
  /** Claims until there is nothing to be had. */
  drain: Claim;
  settle: Settlement<Id, Fence>;
  reap: object;
  release: { worker: string };
  cancel: { ids: Id[] };
  retry: { ids: Id[] };
  cancel_where: Bulk<Id>;
  retry_where: Bulk<Id>;
  reprioritize_where: Bulk<Id> & { priority: number };
  set_limit: Limited & { limit: number };
  remove_limit: Limited;
  pause: Paused;
  resume: Paused;
}

export interface Answers {
  enqueue: Enqueued[];
  claim: Grant;
  drain: Grant[];
  settle: Settled;
  reap: number;
  release: number;
  cancel: string[];
  retry: string[];
  cancel_where: Told;
  retry_where: Told;
  reprioritize_where: Told;
  set_limit: null;
  remove_limit: boolean;
  /** How many are still being worked on. */
  pause: number;
  resume: boolean;
}

export type Verb = keyof Calls;
export type Call = { [V in Verb]: { verb: V } & Calls[V] }[Verb];

export type Payload = Record<string, number>;

export interface NewTask extends Unique {
  type: string;
  key?: string;
  order_key?: string;
  priority?: number;
  run_at?: number;
  max_attempts?: number;
  payload: Payload;
}

export interface Unique {
  unique_key?: string;
  unique_mode?: "return_existing" | "reject" | "replace" | "debounce";
  unique_scope?: "unfinished" | "pending";
  unique_seconds?: number;
  unique_merge?: boolean;
}

export interface Enqueued {
  id: string;
  deduplicated: boolean;
  replaced: boolean;
}

/** Something that is done to all tasks that fit a filter. */
export interface Bulk<Id = string> {
  filter: Filter<Id>;
  dry_run: boolean;
  limit: number;
}

export interface Filter<Id = string> {
  types?: string[];
  statuses?: string[];
  ids?: Id[];
  error?: "%broken%";
  unique_key_prefix?: string;
  key?: string;
  order_key?: string;
  payload?: Payload;
}

export interface Told {
  dry_run: boolean;
  tasks: number;
  more: boolean;
  sample: string[];
}

export interface Limited {
  type: string;
  key: string | null;
  each_key: boolean;
}

export interface Paused {
  type: string | null;
  key: string | null;
}

/** A row of `tasks`. */
export interface Row extends PlainRow {
  payload: Payload;
  key: string | null;
  order_key: string | null;
}

/** A row of `task_gates()`. */
export interface GateRow {
  type: string | null;
  scope: string;
  key: string | null;
  max_running: number | null;
  paused_at: number | null;
  running: number | null;
}

export interface Everything {
  tasks: Row[];
  gates: GateRow[];
}
