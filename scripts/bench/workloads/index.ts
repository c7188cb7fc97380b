import type { Cell, Scale } from "../workload.ts";
import { backlogCells } from "./backlog.ts";
import { drainCells } from "./drain.ts";
import { enqueueCells } from "./enqueue.ts";
import { fewCells } from "./few.ts";
import { latencyCells } from "./latency.ts";
import { nextThoughtsCells } from "./next_thoughts.ts";
import { payloadsCells } from "./payloads.ts";
import { pinnedCells } from "./pinned.ts";
import { racingCells } from "./racing.ts";
import { retriesCells } from "./retries.ts";
import { scaleCells } from "./scale.ts";
import { settlingCells } from "./settling.ts";
import { steadyCells } from "./steady.ts";
import { typesCells } from "./types.ts";

/** All workloads, in the order of the table. */
export const workloads: Record<string, (scale: Scale) => Cell[]> = {
  enqueue: enqueueCells,
  drain: drainCells,
  payloads: payloadsCells,
  types: typesCells,
  few: fewCells,
  retries: retriesCells,
  pinned: pinnedCells,
  steady: steadyCells,
  latency: latencyCells,
  backlog: backlogCells,
  scale: scaleCells,
  next_thoughts: nextThoughtsCells,
  settling: settlingCells,
  racing: racingCells,
};
