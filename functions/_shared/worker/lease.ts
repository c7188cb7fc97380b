import { ABORTED } from "./aborted.ts";
import type { Execution } from "./execution.ts";
import type { Grant, Item, Outcome, Report, Settled } from "./work.ts";

/** How many items ended which way. */
export interface Tally {
  completed: number;
  failed: number;
  released: number;
  lost: number;
}

const WORDS = { succeeded: "completed", failed: "failed", released: "released" } as const;
const SLOWEST_REPEAT_MS = 10_000;
const PROGRESS_MS = 1_000;

/** What one grant holds, how far it is, and until when it is ours. Times are the worker's clock. */
export class Lease<I extends Item> {
  readonly fence: string;
  readonly waiting: I[];
  readonly running = new Map<string, Execution<I>>();
  /** A settlement is on its way; one at a time keeps it plain what was reported. */
  settling = false;
  renewAt: number;
  flushAt = Infinity;
  #lostAt: number;
  #dropped = 0;
  readonly #leaseMs: number;
  readonly #outcomes = new Map<string, Outcome>();
  readonly #progress = new Map<string, unknown>();
  readonly #over = new AbortController();

  /** It counts from before the claim was sent: the server's lease cannot have begun earlier. */
  constructor(grant: Grant<I>, asked: number) {
    this.fence = grant.fence;
    this.waiting = [...grant.items];
    this.#leaseMs = grant.leaseMs;
    this.renewAt = asked + this.#leaseMs / 3;
    this.#lostAt = asked + this.#leaseMs * 2 / 3;
  }

  /** Without a renewal by then the work is given up, well before somebody else can get it. */
  get lostAt(): number {
    return this.#lostAt;
  }

  get isFinished(): boolean {
    return this.waiting.length === 0 && this.running.size === 0;
  }

  get hasOutcomes(): boolean {
    return this.#outcomes.size > 0;
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** Aborted when nothing about this lease matters any more. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  record(outcome: Outcome, flushAt: number): void {
    this.running.delete(outcome.id);
    this.#outcomes.set(outcome.id, outcome);
    this.flushAt = Math.min(this.flushAt, flushAt);
  }

  /** What was not started goes back, and burns no attempt. */
  handBack(now: number): void {
    for (const { id } of this.waiting.splice(0)) this.record({ id, status: "released" }, now);
  }

  report(): Report {
    // Only a lease of which every item has its outcome here may be settled as a whole.
    const whole = this.isFinished && this.#dropped === 0;
    const outcomes = [...this.#outcomes.values()];
    return whole
      ? { outcomes: outcomes.filter((outcome) => !isPlain(outcome)), rest: "succeeded" }
      : { outcomes, rest: null };
  }

  /** What the answer to a report means, item by item. */
  absorb(report: Report, { settled, lost, superseded = [] }: Settled, flushAt: number): Tally {
    const tally = { completed: 0, failed: 0, released: 0, lost: 0 };
    const gone = new Set([...lost, ...superseded]);
    for (const { id, status } of report.outcomes) {
      this.#outcomes.delete(id);
      tally[gone.has(id) ? "lost" : WORDS[status]]++;
    }
    if (report.rest) {
      const unnamed = this.#outcomes.size;
      const accepted = Math.min(
        unnamed,
        Math.max(0, settled - (report.outcomes.length - tally.lost)),
      );
      tally.completed += accepted;
      tally.lost += unnamed - accepted;
      this.#outcomes.clear();
    }
    this.flushAt = this.hasOutcomes ? flushAt : Infinity;
    return tally;
  }

  noteProgress(id: string, value: unknown, now: number): void {
    this.#progress.set(id, value);
    this.renewAt = Math.min(this.renewAt, now + PROGRESS_MS);
  }

  /** The heartbeat's load. Should it fail or hang, the next try is not a third of a lease away. */
  beat(now: number, random: number): Record<string, unknown> {
    const repeatMs = Math.min(this.#leaseMs / 9, SLOWEST_REPEAT_MS);
    this.renewAt = now + repeatMs * (0.75 + random / 4);
    const progress = Object.fromEntries(this.#progress);
    this.#progress.clear();
    return progress;
  }

  /** Renewed by a request that was sent at `asked`. */
  renewed(asked: number): void {
    this.renewAt = Math.max(this.renewAt, asked + this.#leaseMs / 3);
    this.#lostAt = Math.max(this.#lostAt, asked + this.#leaseMs * 2 / 3);
  }

  unfinishedIds(): string[] {
    return [...this.waiting.map(({ id }) => id), ...this.running.keys()];
  }

  /** Somebody else has this item. Its handler, when it runs, is what has to be aborted. */
  drop(id: string): Execution<I> | undefined {
    const place = this.waiting.findIndex((item) => item.id === id);
    if (place >= 0) this.waiting.splice(place, 1);
    const execution = this.running.get(id);
    this.running.delete(id);
    this.#dropped++;
    return execution;
  }

  /** Nothing more is heard of it. Returns how many items it took along. */
  end(): number {
    this.#over.abort(ABORTED);
    const left = this.waiting.length + this.running.size + this.#outcomes.size;
    this.waiting.length = 0;
    this.running.clear();
    this.#outcomes.clear();
    return left;
  }
}

function isPlain({ status, result, metadata }: Outcome): boolean {
  return status === "succeeded" && result === undefined && metadata === undefined;
}
