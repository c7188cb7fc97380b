import { ApiError } from "../errors.ts";
import type { Registry } from "../handler.ts";
import type { Log } from "../log.ts";
import type { Rpc } from "../rpc.ts";
import { taskWork } from "./tasks.ts";
import { thoughtWork } from "./thoughts.ts";
import type { Item, Work } from "./work.ts";

/** Tasks of these types (all when left out), or thoughts of this work type. */
export interface Choice {
  types?: string[];
  work_type?: string;
}

interface Parts {
  rpc: Rpc;
  log: Log;
  workerId: string;
  leaseSeconds: number;
}

/** The chosen work, with its handlers. An ApiError that lists what is known when there is none. */
export function chooseWork(
  { types, work_type }: Choice,
  registry: Registry,
  parts: Parts,
): Work<Item> {
  if (work_type !== undefined) {
    const handler = registry.thoughts.get(work_type) ?? refuse("work_type", registry.thoughts);
    return thoughtWork({ ...parts, handler });
  }
  const chosen = types ?? [...registry.tasks.keys()];
  const handlers = new Map(
    chosen.map((
      type,
      i,
    ) => [type, registry.tasks.get(type) ?? refuse(`types[${i}]`, registry.tasks)]),
  );
  return taskWork({ ...parts, handlers });
}

function refuse(path: string, known: Map<string, unknown>): never {
  const message = `no handler has that name; known: ${[...known.keys()].join(", ") || "none"}`;
  throw new ApiError("bad_request", `${path}: ${message}`, { details: [{ path, message }] });
}
