import type { Fault } from "../fault.ts";

/** A worker is gone from one moment to the next; a new one comes. */
export const killWorker: Fault = {
  name: "kill_worker",
  percent: 45,
  inject: ({ workers }, random) => workers.kill(random),
};
