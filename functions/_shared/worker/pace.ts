/** How much of a lease may be waiting: a batch that outlives its lease would only be handed back. */
const SHARE_OF_LEASE = 0.5;
const WEIGHT_OF_LATEST = 0.2;

interface Situation {
  waiting: number;
  running: number;
  /** Milliseconds until the worker stops starting anything. */
  remainingMs: number;
}

/** Decides how many items to claim, from how long handlers take. */
export class Pace {
  #averageMs: number | null = null;

  constructor(
    private readonly limits: { concurrency: number; batch: number; leaseMs: number },
  ) {}

  record(ms: number): void {
    const average = this.#averageMs ?? ms;
    this.#averageMs = average + WEIGHT_OF_LATEST * (ms - average);
  }

  /** How many to claim now; 0 while enough is waiting. */
  room({ waiting, running, remainingMs }: Situation): number {
    const { concurrency, batch } = this.limits;
    const free = concurrency - running;
    const startable = Math.max(free, this.#startableIn(remainingMs));
    // At half a batch the next one is fetched, so that the handlers never wait for it.
    if (waiting >= Math.max(free, Math.min(batch, startable) / 2)) return 0;
    return Math.max(0, Math.min(batch, startable - waiting));
  }

  /** Before anything was measured: only what starts at once. */
  #startableIn(remainingMs: number): number {
    if (this.#averageMs === null) return 0;
    const { concurrency, leaseMs } = this.limits;
    const ms = Math.min(leaseMs * SHARE_OF_LEASE, Math.max(0, remainingMs));
    return Math.floor(ms * concurrency / Math.max(this.#averageMs, 0.01));
  }
}
