import type { Clock } from "../clock.ts";

/** A reason of its own: the one an abort has otherwise is an error, and its stack takes longest. */
const RUNG = Symbol("rung");

/** Lets the loop sleep until something is due or something happened, whichever is first. */
export class Bell {
  #rung = new AbortController();

  constructor(private readonly clock: Clock) {}

  ring(): void {
    this.#rung.abort(RUNG);
  }

  /** A ring while nobody waited counts too. */
  async wait(ms: number): Promise<void> {
    await this.clock.sleep(ms, this.#rung.signal);
    this.#rung = new AbortController();
  }
}
