import type { Cell, Scale } from "../workload.ts";
import { claimsCells } from "./claims.ts";
import { drainCells } from "./drain.ts";
import { enqueueCells } from "./enqueue.ts";
import { pinnedCells } from "./pinned.ts";

/** All workloads, in the order of the table. */
export const workloads: Record<string, (scale: Scale) => Cell[]> = {
  enqueue: enqueueCells,
  drain: drainCells,
  pinned: pinnedCells,
  claims: claimsCells,
};
