import type { Payload } from "./contender.ts";
import { percentile } from "./percentile.ts";

/** No drain goes on for longer, unless it says so: some contenders are slow on some workloads. */
const LONGEST_DRAIN_MS = 6_000;

/** The first part of every drain warms up: connections, plans, compiled code. */
const WARM_UP = 0.1;

/** In so many parts of one size the course of a drain is kept. */
const PARTS = 20;

/** The books of one drain: what was executed, and when. */
export class Books {
  /** Comes when every task was executed, or the drain has taken too long. */
  readonly signal: AbortSignal;
  readonly #enough = new AbortController();
  readonly #executions: Uint8Array;
  /** When the drain began, when each execution was, at last when the drain had ended. */
  readonly #moments = [performance.now()];
  readonly #calls: number[] = [];
  executed = 0;
  readonly #timer: ReturnType<typeof setTimeout>;
  #tookTooLong = false;

  constructor(tasks: number, longestMs = LONGEST_DRAIN_MS) {
    this.signal = this.#enough.signal;
    this.#executions = new Uint8Array(tasks);
    this.#timer = setTimeout(() => {
      this.#tookTooLong = true;
      this.#enough.abort();
    }, longestMs);
  }

  /** The handler of every task in the bench. */
  readonly execute = ({ n }: Payload): void => {
    this.#executions[n]++;
    this.#moments.push(performance.now());
    this.executed++;
    if (this.executed === this.#executions.length) this.#enough.abort();
  };

  /** Notes how long a call took. */
  readonly onCall = (milliseconds: number): void => {
    this.#calls.push(milliseconds);
  };

  /** To be called when the drain has ended. */
  end(): void {
    clearTimeout(this.#timer);
    this.#moments.push(performance.now());
  }

  /** Throws unless every task was executed once, and none is left but for want of time. */
  check(left: number): void {
    const twice = this.#executions.findIndex((times) => times > 1);
    if (twice >= 0) {
      throw new Error(`task ${twice} was executed ${this.#executions[twice]} times`);
    }
    const tasks = this.#executions.length;
    if (this.executed + left !== tasks || left > 0 && !this.#tookTooLong) {
      throw new Error(`of ${tasks} tasks ${this.executed} were executed and ${left} are left`);
    }
  }

  /** Tasks per second between two parts of the way through what was executed, 0 to 1. */
  rate(from: number, to: number): number {
    const last = this.#moments.length - 1;
    const [first, end] = [Math.floor(from * last), Math.floor(to * last)];
    return (end - first) / (this.#moments[end] - this.#moments[first]) * 1000;
  }

  /** What every drain is measured by. */
  figures(): Record<string, number> {
    const calls = this.#calls.slice(Math.floor(this.#calls.length * WARM_UP));
    return {
      executed: this.executed,
      tasks_per_second: this.rate(WARM_UP, 1),
      ...calls.length > 0 &&
        { call_p50_ms: percentile(calls, 0.5), call_p99_ms: percentile(calls, 0.99) },
    };
  }

  /** After how many seconds each twentieth of what was executed had been, warming up included. */
  course(): number[] {
    return Array.from({ length: PARTS }, (_, part) => {
      const last = Math.floor((part + 1) / PARTS * this.executed);
      return (this.#moments[last] - this.#moments[0]) / 1000;
    });
  }

  /** How the rate changed on the way. The very first tasks warm up, the very last ones wait. */
  change(): Record<string, number> {
    const last = this.rate(0.9, 0.999);
    return {
      last_tenth_per_second: last,
      last_tenth_against_first: last / this.rate(0.05, 0.15),
    };
  }
}
