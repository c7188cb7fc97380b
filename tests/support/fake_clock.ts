import type { Clock } from "../../functions/_shared/clock.ts";

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #now = 0;
  #sleepers: { until: number; wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  random(): number {
    return 0.5;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleeper = { until: this.#now + ms, wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", wake, { once: true });
      const forget = () => this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
      function wake() {
        signal?.removeEventListener("abort", wake);
        forget();
        resolve();
      }
    });
  }

  /** Goes on by so much; whatever is due on the way happens at its own moment, in order. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    for (let turns = 0;; turns++) {
      if (turns > 2_000) throw new Error("Something is due again and again without time going on.");
      await settle();
      const next = this.#sleepers.filter(({ until }) => until <= target)
        .sort((a, b) => a.until - b.until)[0];
      if (!next) break;
      this.#now = Math.max(this.#now, next.until);
      next.wake();
    }
    this.#now = target;
    await settle();
  }
}

/** Lets everything that waits for nothing but its turn happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve));
}
