import type { Fault } from "../fault.ts";

/** A worker is gone from one moment to the next; a new one comes. */
export const killWorker: Fault = {
  name: "kill_worker",
  weight: 5,
  inject: ({ workers }, random) => workers.kill(random),
};
