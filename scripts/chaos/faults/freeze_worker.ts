import type { Fault } from "../fault.ts";

/** A worker stands still for longer than its lease, and goes on as if nothing had been. */
export const freezeWorker: Fault = {
  name: "freeze_worker",
  percent: 10,
  inject: ({ workers }, random) => workers.freeze(random, random.between(1.1, 1.8)),
};
