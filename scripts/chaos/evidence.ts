import { createHash } from "node:crypto";
import type { Ending, Line, Surface } from "../record/record.ts";
import type { Behaviour } from "./workload.ts";

/** A line of the history that triggers wrote in the database. Moments are in milliseconds. */
export interface HistoryEvent {
  n: number;
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
  writtenAt: number;
  /** By a client that asked nobody. */
  byHand: boolean;
}

/** What Dibs's own tables say of an item in the end. */
export interface Entry {
  item: string;
  status: string;
  maxAttempts: number;
  /** It may have to wait for others that have its key. */
  isLimited: boolean;
  behaviour: Behaviour;
}

/** A task whose effect was parked, and whether it still is. */
export interface Parked {
  name: string;
  inDoubt: boolean;
}

/** An email, as the provider that took it wrote it down. */
export interface Mail {
  kind: "delivered" | "absorbed";
  email: { to: string };
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
  /** How long it still was when it was written. */
  leftMs: number;
  byHand: boolean;
  /** At which place of the history it was granted, how it ended, and where. */
  grantedN: number;
  ending: HistoryEvent["event"] | null;
  endingN: number;
}

/** Everything that is known of one item that was enqueued, or that rivals contended for. */
export interface Item {
  name: string;
  surface: Surface | "contested";
  history: HistoryEvent[];
  leases: Lease[];
  beliefs: Belief[];
  /** The fences under which a worker was about to settle it. */
  givenAway: Set<string>;
  executions: Execution[];
  /** What a worker was told was accepted. */
  accepted: { fence: string; ending: Ending }[];
  /** How often a worker was told that it comes too late. */
  refused: number;
  /** It was granted among more items than were asked for. */
  wasUnasked: boolean;
  /** Emails about it that were delivered, and repeats that were dropped. */
  delivered: number;
  absorbed: number;
  /** How often it stands in the table into which it writes. */
  posted: number;
  /** An attempt found that its email may have been sent, and gave up. */
  wasParked: boolean;
  /** Nobody has found out since. */
  inDoubt: boolean;
  /** More than one when it was enqueued twice. */
  entries: Entry[];
}

/** Who saw something, each to be heard item by item or in passing. */
export interface Sources {
  contested: string[];
  record(): AsyncIterable<Line>;
  history(share: Share): AsyncIterable<HistoryEvent[]>;
  entries(share: Share): AsyncIterable<Entry[]>;
  parked(): Promise<Parked[]>;
  posted(): Promise<string[]>;
  mails(): Promise<Mail[]>;
}

/** Of all items those that are looked at together: there may be more than fit into memory. */
export interface Share {
  number: number;
  of: number;
}

/** Puts together, item by item, what everybody wrote down. */
export async function gatherItems(sources: Sources, share: Share): Promise<Map<string, Item>> {
  const items = new Map<string, Item>();
  const add = (surface: Item["surface"], names: string[]) => {
    for (const name of names) if (isIn(share, name)) items.set(name, newItem(name, surface));
  };
  add("contested", sources.contested);
  const executions = new Map<string, Execution>();
  for await (const line of sources.record()) {
    if (line.kind === "enqueued") add(line.surface, line.items);
    else readLine(line, items, executions);
  }
  for await (const events of sources.history(share)) {
    for (const event of events) items.get(event.item)?.history.push(event);
  }
  for await (const entries of sources.entries(share)) {
    for (const entry of entries) items.get(entry.item)?.entries.push(entry);
  }
  for (const { kind, email } of await sources.mails()) {
    const item = items.get(email.to);
    if (item) item[kind]++;
  }
  for (const name of await sources.posted()) {
    const item = items.get(name);
    if (item) item.posted++;
  }
  for (const { name, inDoubt } of await sources.parked()) {
    const item = items.get(name);
    if (item) Object.assign(item, { wasParked: true, inDoubt });
  }
  for (const item of items.values()) item.leases = leasesOf(item.history);
  return items;
}

/** As chaos.share_of in history.sql. */
function isIn({ number, of }: Share, name: string): boolean {
  return of === 1 || createHash("md5").update(name).digest().readUInt16BE() % of === number;
}

function readLine(line: Line, items: Map<string, Item>, executions: Map<string, Execution>): void {
  switch (line.kind) {
    case "granted":
    case "renewed":
      for (const name of line.items) {
        const { by, fence, at: from, asked, leaseMs } = line;
        const item = items.get(name);
        // The answer to a renewal may come when the item is given away already.
        if (!item || item.givenAway.has(fence)) continue;
        // The lease cannot have begun before it was asked for.
        item.beliefs.push({ by, fence, from, until: asked + leaseMs });
        item.wasUnasked ||= line.kind === "granted" && line.items.length > line.limit;
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
      for (const item of line.refused.flatMap((name) => items.get(name) ?? [])) item.refused++;
      break;
    case "began": {
      const item = items.get(line.item);
      if (!item) return;
      const { by, fence = "", at: beganAt } = line;
      const execution = { by, fence, beganAt, endedAt: null, succeeded: false };
      executions.set(line.execution, execution);
      item.executions.push(execution);
      break;
    }
    case "ended": {
      const execution = executions.get(line.execution);
      if (execution) Object.assign(execution, { endedAt: line.at, succeeded: line.succeeded });
      executions.delete(line.execution);
    }
  }
}

function newItem(name: string, surface: Item["surface"]): Item {
  return {
    name,
    surface,
    history: [],
    leases: [],
    beliefs: [],
    givenAway: new Set(),
    executions: [],
    accepted: [],
    refused: 0,
    wasUnasked: false,
    delivered: 0,
    absorbed: 0,
    posted: 0,
    wasParked: false,
    inDoubt: false,
    entries: [],
  };
}

function leasesOf(history: HistoryEvent[]): Lease[] {
  const leases: Lease[] = [];
  for (const { event, fence, at: from, expiresAt, writtenAt, byHand, n } of history) {
    const lease = leases.findLast((lease) => lease.fence === fence);
    if (event === "granted") {
      leases.push({
        fence: fence!,
        from,
        until: expiresAt!,
        leftMs: expiresAt! - writtenAt,
        byHand,
        grantedN: n,
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
