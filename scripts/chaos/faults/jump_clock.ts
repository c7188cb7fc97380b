import type { Fault } from "../fault.ts";

/** A worker's wall clock jumps by hours; most of them are wrong from the beginning. */
export const jumpClock: Fault = {
  name: "jump_clock",
  percent: 1,
  inject: ({ workers }, random) => workers.jumpClock(random),
};
