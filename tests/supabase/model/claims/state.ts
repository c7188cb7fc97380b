import { Requests } from "../requests.ts";
import type { Everything, GateRow, Row } from "./calls.ts";

export interface Thought {
  id: string;
  content: string;
  metadata: object;
}

/** A worker has a thought for one kind of work, or is done with it. */
export interface Claim {
  thought: Thought;
  work: string;
  worker: string;
  claimedAt: number;
  expiresAt: number;
  status: "claimed" | "succeeded" | "failed";
  attempt: number;
  /** After how many attempts the thought is quarantined; null: never. */
  maxAttempts: number | null;
  error: string | null;
  /** Null as long as nobody has seen it: not every way to claim tells. */
  fence: string | null;
  finishedAt: number | null;
  /** When a failed claim goes away by itself. */
  retryAt: number | null;
}

/** What is remembered of a thought and a kind of work when there is no claim. */
export interface Memory {
  attempts: number;
  error: string | null;
}

/** What keeps a kind of work back. */
export interface Gate {
  most: number | null;
  pausedAt: number | null;
}

/** All thoughts and claims there are. */
export class Claims {
  now = 0;
  readonly thoughts = new Map<string, Thought>();
  readonly claims = new Map<string, Claim>();
  readonly memories = new Map<string, Memory>();
  /** By kind of work; null stands for all. */
  readonly gates = new Map<string | null, Gate>();
  readonly requests = new Requests();
  /** Every thought and every grant with a fence that there ever was. */
  readonly ids: string[] = [];
  readonly grants: { fence: string; ids: string[] }[] = [];
  /** What the database chose and only a look at the claims can tell. */
  readonly questions: ((claims: Map<string, Row>) => void)[] = [];

  /** Everything there is to be seen. What is seen tells what the database chose. */
  look(seen: Everything): Everything {
    const rows = new Map(seen.claims.map((row) => [keyOf(row.thought_id, row.work_type), row]));
    for (const question of this.questions.splice(0)) question(rows);
    for (const [key, claim] of this.claims) claim.fence ??= rows.get(key)?.fence ?? null;
    return {
      thoughts: [...this.thoughts.values()].sort((a, b) => a.id < b.id ? -1 : 1),
      claims: [...this.claims].sort(([a], [b]) => a < b ? -1 : 1).map(([, claim]) => rowOf(claim)),
      gates: [...this.gates].sort(([a], [b]) => (a ?? "") < (b ?? "") ? -1 : 1)
        .map(([work, gate]) => this.#gateRow(work, gate)),
    };
  }

  #gateRow(work: string | null, { most, pausedAt }: Gate): GateRow {
    const running = this.claimed(work);
    return { work_type: work, max_running: most, paused_at: pausedAt, running };
  }

  setGate(work: string | null, set: Partial<Gate>): void {
    const gate = { most: null, pausedAt: null, ...this.gates.get(work), ...set };
    if (gate.most === null && gate.pausedAt === null) this.gates.delete(work);
    else this.gates.set(work, gate);
  }

  /** How many are claimed for a kind of work, null for any. */
  claimed(work: string | null): number {
    return this.all().filter((claim) =>
      claim.status === "claimed" && (work ?? claim.work) === claim.work
    ).length;
  }

  /** Moments at which something happens by itself. */
  moments(): number[] {
    const claims = [...this.claims.values()];
    return claims.flatMap(({ status, expiresAt }) => status === "claimed" ? [expiresAt] : [])
      .concat(claims.flatMap(({ retryAt }) => retryAt ?? []));
  }

  all(): Claim[] {
    return [...this.claims.values()];
  }

  on(thought: string, work: string): Claim | undefined {
    return this.claims.get(keyOf(thought, work));
  }

  add(claim: Claim): void {
    this.claims.set(keyOf(claim.thought.id, claim.work), claim);
  }

  remove(claim: Claim): void {
    this.claims.delete(keyOf(claim.thought.id, claim.work));
  }

  /** The claim itself tells its attempts from here on. */
  finish(claim: Claim, status: "succeeded" | "failed", error: string | null): void {
    Object.assign(claim, { status, error, finishedAt: this.now });
    this.memories.delete(keyOf(claim.thought.id, claim.work));
  }

  /** What a grant still holds. Having run out is no matter as long as nobody took it away. */
  held(fence: string | null): Claim[] {
    return this.all().filter((claim) => claim.status === "claimed" && claim.fence === fence)
      .sort((a, b) => a.thought.id < b.thought.id ? -1 : 1);
  }
}

export const keyOf = (thought: string, work: string): string => `${thought} ${work}`;

function rowOf(claim: Claim): Row {
  return {
    thought_id: claim.thought.id,
    work_type: claim.work,
    worker_id: claim.worker,
    claimed_at: claim.claimedAt,
    ttl_expires_at: claim.expiresAt,
    status: claim.status,
    attempt_count: claim.attempt,
    last_error: claim.error,
    fence: claim.fence!,
    finished_at: claim.finishedAt,
    max_attempts: claim.maxAttempts,
    retry_at: claim.retryAt,
  };
}
