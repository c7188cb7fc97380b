import type { Payload } from "./contender.ts";

/** No drain goes on for longer: some contenders are slow on some workloads. */
const LONGEST_DRAIN_MS = 15_000;

/** The books of one drain: what was executed, and when. */
export class Books {
  /** Comes when every task was executed, or the drain has taken too long. */
  readonly signal: AbortSignal;
  readonly #enough = new AbortController();
  readonly #executions: Uint8Array;
  /** When the drain began, when each execution was, at last when the drain had ended. */
  readonly #moments = [performance.now()];
  executed = 0;
  readonly #timer: ReturnType<typeof setTimeout>;
  #tookTooLong = false;

  constructor(tasks: number) {
    this.signal = this.#enough.signal;
    this.#executions = new Uint8Array(tasks);
    this.#timer = setTimeout(() => {
      this.#tookTooLong = true;
      this.#enough.abort();
    }, LONGEST_DRAIN_MS);
  }

  /** The handler of every task in the bench. */
  readonly execute = ({ n }: Payload): void => {
    this.#executions[n]++;
    this.#moments.push(performance.now());
    this.executed++;
    if (this.executed === this.#executions.length) this.#enough.abort();
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
}
