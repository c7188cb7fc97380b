import { failureOf } from "./failure.ts";
import type { Lease } from "./lease.ts";
import type { Finding, Item, Outcome } from "./work.ts";

/** Why a handler was told to end before it was done. */
export type Cut = "timed_out" | "lease_lost" | "stopped" | "out_of_budget";

/** One handler at work on one item. */
export class Execution<I extends Item> {
  /** When to tell it to end, and when to stop waiting for it. */
  abortAt: number;
  giveUpAt = Infinity;
  /** It is being completed by its handler: that the lease holds it no more may be just that. */
  committing = false;
  #cut: Cut | null = null;
  readonly #controller = new AbortController();

  constructor(
    readonly item: I,
    readonly lease: Lease<I>,
    readonly startedAt: number,
    readonly timeoutMs: number,
  ) {
    this.abortAt = startedAt + timeoutMs;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(cut: Cut, giveUpAt: number): void {
    if (this.#cut) return;
    this.#cut = cut;
    this.abortAt = Infinity;
    this.giveUpAt = giveUpAt;
    this.#controller.abort(new DOMException(cut, "AbortError"));
  }

  succeeded(finding: Finding): Outcome {
    return { id: this.item.id, status: "succeeded", ...finding };
  }

  /** It threw, or never came back after it was cut. */
  failed(thrown?: unknown): Outcome {
    const id = this.item.id;
    switch (this.#cut) {
      case "timed_out":
        return { id, status: "failed", error: `timed out after ${this.timeoutMs / 1000} s` };
      case "out_of_budget":
        // It ran, so it counts: handed back, a task longer than any budget would come round for ever.
        return {
          id,
          status: "failed",
          error: "cut off: the worker's time ran out before it was done",
        };
      case "stopped":
        return { id, status: "released" };
      default:
        return failureOf(id, thrown);
    }
  }
}
