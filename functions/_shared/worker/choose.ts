import { ApiError } from "../errors.ts";
import type { Registry, RowHandler } from "../handler.ts";
import type { Log } from "../log.ts";
import type { Rpc } from "../rpc.ts";
import { rowWork } from "./rows.ts";
import { taskWork } from "./tasks.ts";
import { thoughtWork } from "./thoughts.ts";
import { traced } from "./traced.ts";
import type { Item, Work } from "./work.ts";

/**
 * Tasks of these types (all when left out), thoughts for this work type, or rows of this source, of
 * which the work type may be left out where there is one.
 */
export interface Choice {
  types?: string[];
  work_type?: string;
  source?: string;
}

interface Parts {
  rpc: Rpc;
  log: Log;
  workerId: string;
  leaseSeconds: number;
}

/** The chosen work, with its handlers. An ApiError that lists what is known when there is none. */
export function chooseWork(
  { types, work_type, source }: Choice,
  registry: Registry,
  parts: Parts,
): Work<Item> {
  const { rpc, workerId } = parts;
  if (source !== undefined) {
    const handler = chooseRows(source, work_type, registry.rows);
    const destinationOf = () => `${source}:${handler.workType}`;
    return traced(rowWork({ ...parts, handler }), { workerId, destinationOf });
  }
  if (work_type !== undefined) {
    const handler = registry.thoughts.get(work_type) ?? refuse("work_type", registry.thoughts);
    const destinationOf = () => `thoughts:${work_type}`;
    return traced(thoughtWork({ ...parts, handler }), { workerId, destinationOf });
  }
  const chosen = types ?? [...registry.tasks.keys()];
  const handlers = new Map(
    chosen.map((
      type,
      i,
    ) => [type, registry.tasks.get(type) ?? refuse(`types[${i}]`, registry.tasks)]),
  );
  return traced(taskWork({ ...parts, handlers }), {
    workerId,
    destinationOf: ({ type }) => type,
    async tracesOf(fence, signal) {
      const rows = await rpc.call("task_traces", { p_fence: fence }, { signal, attempts: 1 });
      return new Map(rows.map(({ id, traceparent }) => [id, traceparent]));
    },
  });
}

function chooseRows(
  source: string,
  workType: string | undefined,
  rows: Registry["rows"],
): RowHandler {
  const ofSource = [...rows.values()].filter((handler) => handler.source === source);
  if (ofSource.length === 0) {
    return refuse(
      "source",
      new Map([...rows.values()].map((handler) => [handler.source, handler])),
    );
  }
  const fitting = ofSource.filter((handler) => (workType ?? handler.workType) === handler.workType);
  if (fitting.length === 1) return fitting[0];
  return refuse("work_type", new Map(ofSource.map((handler) => [handler.workType, handler])));
}

function refuse(path: string, known: Map<string, unknown>): never {
  const message = `no handler has that name; known: ${[...known.keys()].join(", ") || "none"}`;
  throw new ApiError("bad_request", `${path}: ${message}`, { details: [{ path, message }] });
}
