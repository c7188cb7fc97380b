import type { Fault } from "../fault.ts";

/** A worker is told to stop, as every deployment does; a new one comes. */
export const terminateWorker: Fault = {
  name: "terminate_worker",
  percent: 10,
  inject: ({ workers }, random) => workers.terminate(random),
};
