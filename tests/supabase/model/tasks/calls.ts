// What can be asked about tasks, and what is answered. Moments are milliseconds from the beginning.

/** What a verb is told. In commands, drawn before there are any, ids and fences are numbers. */
export interface Calls<Id = string, Fence = string> {
  enqueue: { tasks: NewTask[]; request: string | null };
  create: { task: NewTask; by: "create_task" | "insert" };
  claim: Claim & { request: string | null };
  claim_one: object;
  renew: { fence: Fence; seconds: number; progress: { id: Id; value: number } | null };
  settle: Settlement<Id, Fence> & { request: string | null };
  settle_and_claim: Settlement<Id, Fence> & Claim & { request: string | null };
  reap: object;
  release: { worker: string };
  cancel: { ids: Id[] };
  retry: { ids: Id[] };
  prune: { seconds: number };
  history: { id: Id };
  update: { where: Where<Id>; set: Changes };
  delete: { where: Where<Id> };
}

/** What a verb answers: numbers are of tasks that it did something to. */
export interface Answers {
  enqueue: Enqueued[];
  create: string;
  claim: Grant;
  claim_one: Grant;
  renew: string[];
  settle: Settled;
  settle_and_claim: Settled & Grant;
  reap: number;
  release: number;
  cancel: string[];
  retry: string[];
  prune: number;
  history: Attempt[];
  update: number;
  delete: number;
}

export type Verb = keyof Calls;
export type Call = { [V in Verb]: { verb: V } & Calls[V] }[Verb];

export interface NewTask {
  type: string;
  priority: number;
  run_at: number | null;
  max_attempts: number;
  unique_key: string | null;
}

export interface Enqueued {
  id: string;
  deduplicated: boolean;
}

export interface Claim {
  worker: string;
  types: string[] | null;
  limit: number;
  seconds: number;
}

export interface Grant {
  fence: string | null;
  lease_expires_at: number | null;
  lease_ms: number;
  tasks: { id: string; type: string; attempt: number; max_attempts: number }[];
  /** Whether the claim let be a lease that had run out. */
  overdue: boolean;
}

export interface Settlement<Id = string, Fence = string> {
  fence: Fence;
  outcomes: Outcome<Id>[];
  rest: string | null;
}

export interface Outcome<Id = string> {
  id: Id;
  status: string;
  error?: string;
  permanent?: boolean;
  result?: number;
}

export interface Settled {
  settled: number;
  lost: string[];
}

export interface Attempt {
  attempt: number;
  outcome: string;
  worker_id: string | null;
  started_at: number | null;
  ended_at: number;
  error: string | null;
}

/** Which rows of `tasks` are meant. */
export type Where<Id = string> = { id: Id } | { status: string };

/** What an update of `tasks` sets. */
export interface Changes {
  status?: string;
  error?: string;
  run_at?: number;
  started_at?: number | null;
  completed_at?: number;
  type?: string;
}

/** A row of `tasks`. */
export interface Row {
  id: string;
  type: string;
  status: string;
  started_at: number | null;
  completed_at: number | null;
  error: string | null;
  priority: number;
  run_at: number;
  attempts: number;
  max_attempts: number;
  unique_key: string | null;
  result: number | null;
  progress: number | null;
  worker_id: string | null;
  lease_expires_at: number | null;
}
