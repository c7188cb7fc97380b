import type { Cell, Scale } from "../workload.ts";
import { backlogCells } from "./backlog.ts";
import { costsCells } from "./costs.ts";
import { dashboardCells } from "./dashboard.ts";
import { dispatchCells } from "./dispatch.ts";
import { drainCells } from "./drain.ts";
import { enqueueCells } from "./enqueue.ts";
import { fewCells } from "./few.ts";
import { httpCells } from "./http.ts";
import { latencyCells } from "./latency.ts";
import { limitsCells } from "./limits.ts";
import { nextRowsCells, nextThoughtsCells } from "./next_thoughts.ts";
import { partitionsCells } from "./partitions.ts";
import { payloadsCells } from "./payloads.ts";
import { pinnedCells } from "./pinned.ts";
import { purgeCells } from "./purge.ts";
import { racingCells } from "./racing.ts";
import { retriesCells } from "./retries.ts";
import { scaleCells } from "./scale.ts";
import { settlingCells } from "./settling.ts";
import { statusCells } from "./status.ts";
import { steadyCells } from "./steady.ts";
import { tablesCells } from "./tables.ts";
import { typesCells } from "./task_types.ts";

/** All workloads, in the order of the table. */
export const workloads: Record<string, (scale: Scale) => Cell[]> = {
  enqueue: enqueueCells,
  drain: drainCells,
  costs: costsCells,
  tables: tablesCells,
  payloads: payloadsCells,
  partitions: partitionsCells,
  types: typesCells,
  few: fewCells,
  retries: retriesCells,
  pinned: pinnedCells,
  steady: steadyCells,
  purge: purgeCells,
  status: statusCells,
  limits: limitsCells,
  http: httpCells,
  latency: latencyCells,
  dispatch: dispatchCells,
  backlog: backlogCells,
  scale: scaleCells,
  next_thoughts: nextThoughtsCells,
  next_rows: nextRowsCells,
  settling: settlingCells,
  racing: racingCells,
  dashboard: dashboardCells,
};

/**
 * What a quick bench measures unless it is told what: those that some goal is about, but for limits,
 * whose kills take their time.
 */
export const workloadsWithGoals = [
  "enqueue",
  "drain",
  "few",
  "retries",
  "pinned",
  "http",
  "backlog",
  "scale",
  "next_thoughts",
  "next_rows",
  "settling",
];
