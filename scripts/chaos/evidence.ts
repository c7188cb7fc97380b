import type { Ending, Line, Surface } from "../record/record.ts";
import type { Behaviour } from "./workload.ts";

/** A line of the history that triggers wrote in the database. */
export interface HistoryEvent {
  n: number;
  /** In milliseconds. */
  at: number;
  event:
    | "granted"
    | "renewed"
    | "left"
    | "lost"
    | "failed"
    | "completed"
    | "failed_for_good"
    | "cancelled"
    | "undone";
  item: string;
  /** Null: it ended without a lease. */
  fence: string | null;
  expiresAt: number | null;
}

/** What Dibs's own tables say of an item in the end. */
export interface Entry {
  item: string;
  status: string;
  maxAttempts: number;
  behaviour: Behaviour;
}

/** One execution of a handler, as its worker wrote it down. */
export interface Execution {
  by: string;
  fence: string;
  beganAt: number;
  endedAt: number | null;
  succeeded: boolean;
}

/** A stretch of time for which a worker had reason to believe that an item was its own. */
export interface Belief {
  by: string;
  fence: string;
  from: number;
  until: number;
}

/** A lease on an item, as the database granted it. */
export interface Lease {
  fence: string;
  from: number;
  /** When it ran out, or would have. */
  until: number;
  /** How it ended, and at which place of the history. */
  ending: HistoryEvent["event"] | null;
  endingN: number;
}

/** Everything that is known of one item that was enqueued. */
export interface Item {
  name: string;
  surface: Surface;
  history: HistoryEvent[];
  leases: Lease[];
  beliefs: Belief[];
  /** The fences under which a worker was about to settle it. */
  givenAway: Set<string>;
  executions: Execution[];
  /** What a worker was told was accepted. */
  accepted: { fence: string; ending: Ending }[];
  /** More than one when it was enqueued twice. */
  entries: Entry[];
}

/** Everything a verdict is made of. */
export interface Evidence {
  items: Map<string, Item>;
  leaseSeconds: number;
  maxLosses: number;
  /** What is wrong with the tables of tasks. */
  unsound: string[];
  /** SQLSTATEs of the errors in PostgreSQL's log, each as often as it is there. */
  sqlstates: string[];
  /** Workers that ended though nobody had told them to, with their last words. */
  endedByThemselves: string[];
}

/** Puts together, item by item, what the workers and the database wrote down. */
export function gatherItems(
  record: Line[],
  history: HistoryEvent[],
  entries: Entry[],
): Map<string, Item> {
  const items = new Map<string, Item>();
  const executions = new Map<string, Execution>();
  for (const line of record) readLine(line, items, executions);
  for (const event of history) items.get(event.item)?.history.push(event);
  for (const entry of entries) items.get(entry.item)?.entries.push(entry);
  for (const item of items.values()) item.leases = leasesOf(item.history);
  return items;
}

function readLine(line: Line, items: Map<string, Item>, executions: Map<string, Execution>): void {
  switch (line.kind) {
    case "enqueued":
      for (const name of line.items) items.set(name, newItem(name, line.surface));
      break;
    case "granted":
    case "renewed":
      for (const name of line.items) {
        const { by, fence, at: from, asked, leaseMs } = line;
        const item = items.get(name);
        // The answer to a renewal may come when the item is given away already.
        if (!item || item.givenAway.has(fence)) continue;
        // The lease cannot have begun before it was asked for.
        item.beliefs.push({ by, fence, from, until: asked + leaseMs });
      }
      break;
    case "settling":
      for (const item of line.items.flatMap((name) => items.get(name) ?? [])) {
        item.givenAway.add(line.fence);
        for (const belief of item.beliefs) {
          if (belief.fence === line.fence) belief.until = Math.min(belief.until, line.at);
        }
      }
      break;
    case "settled":
      for (const [name, ending] of Object.entries(line.accepted)) {
        items.get(name)?.accepted.push({ fence: line.fence, ending });
      }
      break;
    case "began": {
      const { by, fence = "", at: beganAt } = line;
      const execution = { by, fence, beganAt, endedAt: null, succeeded: false };
      executions.set(line.execution, execution);
      items.get(line.item)?.executions.push(execution);
      break;
    }
    case "ended":
      Object.assign(executions.get(line.execution)!, {
        endedAt: line.at,
        succeeded: line.succeeded,
      });
  }
}

function newItem(name: string, surface: Surface): Item {
  return {
    name,
    surface,
    history: [],
    leases: [],
    beliefs: [],
    givenAway: new Set(),
    executions: [],
    accepted: [],
    entries: [],
  };
}

function leasesOf(history: HistoryEvent[]): Lease[] {
  const leases: Lease[] = [];
  for (const { event, fence, at, expiresAt, n } of history) {
    const lease = leases.findLast((lease) => lease.fence === fence);
    if (event === "granted") {
      leases.push({
        fence: fence!,
        from: at,
        until: expiresAt!,
        ending: null,
        endingN: Infinity,
      });
    } else if (event === "renewed") {
      if (lease) lease.until = expiresAt!;
    } else if (lease && (lease.ending === null || lease.ending === "left")) {
      // First it leaves; what became of it is written a moment later.
      lease.ending = event;
      lease.endingN = Math.min(lease.endingN, n);
    }
  }
  return leases;
}
