import type { Clock } from "../clock.ts";
import { ABORTED } from "./aborted.ts";

/** Lets the loop sleep until something is due or something happened, whichever is first. */
export class Bell {
  #rung = new AbortController();

  constructor(private readonly clock: Clock) {}

  ring(): void {
    this.#rung.abort(ABORTED);
  }

  /** A ring while nobody waited counts too. */
  async wait(ms: number): Promise<void> {
    await this.clock.sleep(ms, this.#rung.signal);
    this.#rung = new AbortController();
  }
}
