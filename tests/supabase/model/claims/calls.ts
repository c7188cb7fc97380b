// What can be asked about claims, and what is answered. Moments are milliseconds from the beginning.

/** What a verb is told. In commands, drawn before there are any, ids and fences are numbers. */
export interface Calls<Id = string, Fence = string> {
  /** `claim_thoughts`, which gives no fence. */
  claim: Claim & { ids: (Id | null)[] };
  claim_named: Claim & Limits & { ids: (Id | null)[] };
  claim_next: ClaimNext;
  renew: { fence: Fence; seconds: number };
  settle: Settlement<Id, Fence> & { request: string | null };
  settle_and_claim: Settlement<Id, Fence> & ClaimNext;
  release: { id: Id; work: string; worker: string; status: string; error: string | null };
  release_all: { work: string | null; worker: string };
  reap: { work: string | null };
  retry: { work: string; ids: Id[] | null };
  quarantined: { work: string };
  /** Gates. No kind of work: all of them. */
  set_limit: { work: string; limit: number };
  remove_limit: { work: string };
  pause: { work: string | null };
  resume: { work: string | null };
  /** What clients do to the tables themselves. */
  insert_thought: { content: string };
  edit_thought: { id: Id; content: string };
  delete_thought: { id: Id };
  insert_claim: Claim & { id: Id };
  delete_claims: { work: string; statuses: string[] };
}

/** What a verb answers: numbers are of claims or thoughts that it did something to. */
export interface Answers {
  claim: string[];
  claim_named: Grant;
  claim_next: Grant;
  renew: string[];
  settle: Settled;
  settle_and_claim: Settled & Grant;
  release: boolean;
  release_all: number;
  reap: number;
  retry: number;
  quarantined: Quarantined[];
  set_limit: null;
  remove_limit: boolean;
  pause: number;
  resume: boolean;
  insert_thought: string;
  edit_thought: number;
  delete_thought: number;
  insert_claim: number;
  delete_claims: number;
}

export type Verb = keyof Calls;
export type Call = { [V in Verb]: { verb: V } & Calls[V] }[Verb];

export interface Claim {
  work: string;
  worker: string;
  seconds: number;
}

export interface Limits {
  max_attempts: number;
  request: string | null;
}

export type ClaimNext = Claim & Limits & { limit: number };

export interface Grant {
  fence: string | null;
  lease_expires_at: number | null;
  lease_ms: number;
  thoughts: { id: string; attempt: number; content: string; metadata: object }[];
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
  metadata?: object;
}

export interface Settled {
  settled: number;
  lost: string[];
}

export interface Quarantined {
  thought_id: string;
  attempt_count: number;
  last_error: string | null;
  finished_at: number;
}

/** Every thought, every row of `thought_work_claims` and every gate, in order. */
export interface Everything {
  thoughts: { id: string; content: string; metadata: object }[];
  claims: Row[];
  gates: GateRow[];
}

/** A row of `claim_gates()`. */
export interface GateRow {
  work_type: string | null;
  max_running: number | null;
  paused_at: number | null;
  running: number;
}

export interface Row {
  thought_id: string;
  work_type: string;
  worker_id: string;
  claimed_at: number;
  ttl_expires_at: number;
  status: string;
  attempt_count: number;
  last_error: string | null;
  fence: string;
  finished_at: number | null;
  max_attempts: number | null;
  retry_at: number | null;
}
