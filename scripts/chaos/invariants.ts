import type { Evidence, HistoryEvent, Item, Lease } from "./evidence.ts";
import { THOUGHT_ATTEMPTS } from "./workload.ts";

/** What must hold whatever goes wrong. */
export interface Invariant {
  /** What it is called in the result, where it says how often it was broken. */
  key: string;
  says: string;
  /** The items that break it, or sentences that say what does. */
  brokenBy(evidence: Evidence): string[];
}

/** What is expired is in other hands after its lease and this. */
const RECOVERY_SECONDS = 15;
const MAY_BE_FOLLOWED: Lease["ending"][] = [null, "lost", "failed", "left"];
const FINAL = ["completed", "failed_for_good", "cancelled"];
/** Errors of PostgreSQL's that faults bring about: connections cut, the server stopping, waits cut off. */
const BROUGHT_ABOUT = /^(00000|08|57)/;

export const INVARIANTS: Invariant[] = [
  {
    key: "lost",
    says: "Whatever was enqueued has completed, failed or been cancelled.",
    brokenBy: each(({ entries }) => entries.length === 0 || !entries.every(hasEnded)),
  },
  {
    key: "lease_overlaps",
    says: "Nobody is granted an item while somebody else's lease on it lives.",
    brokenBy: each((item) => overlapInHistory(item) || overlapInRecord(item)),
  },
  {
    key: "fences_not_growing",
    says: "Of two grants of an item the later has the larger fence.",
    brokenBy: each(({ leases }) =>
      pairs(leases).some(([one, next]) => BigInt(next.fence) <= BigInt(one.fence))
    ),
  },
  {
    key: "stale_accepted",
    says: "Only who holds an item can settle it; whoever comes late is told so.",
    brokenBy: each((item) => settledByAnother(item) || acceptedInVain(item)),
  },
  {
    key: "completed_unexecuted",
    says: "What has completed was executed, to its end, under the very grant that completed it.",
    brokenBy: each(({ history, executions }) =>
      history.some(({ event, fence }) =>
        event === "completed" && !executions.some((e) => e.succeeded && e.fence === fence)
      )
    ),
  },
  {
    key: "unexplained_duplicates",
    says:
      "An item is enqueued once, and executed again only after its execution failed, was lost " +
      "or handed back.",
    brokenBy: each((item) => item.entries.length > 1 || isRepeatedForNoReason(item)),
  },
  {
    key: "wrong_attempts",
    says: "Items fail for good when their attempts are used up, no sooner and no later.",
    brokenBy: (evidence) => each((item) => hasWrongAttempts(item, evidence.maxLosses))(evidence),
  },
  {
    key: "ends_undone",
    says: "What has ended stays ended.",
    brokenBy: each(({ history }) => {
      const end = history.findIndex(({ event }) => FINAL.includes(event));
      return end >= 0 && end < history.length - 1;
    }),
  },
  {
    key: "slow_recoveries",
    says: `What is lost is granted again within the lease and ${RECOVERY_SECONDS} s.`,
    brokenBy: (evidence) =>
      each((item) =>
        recoverySeconds(item, evidence.leaseSeconds)
          .some((seconds) => seconds > evidence.leaseSeconds + RECOVERY_SECONDS)
      )(evidence),
  },
  {
    key: "unsound_tables",
    says: "Every task is in exactly one place.",
    brokenBy: ({ unsound }) => unsound,
  },
  {
    key: "deadlocks",
    says: "No two calls wait for each other, and none is refused because of another.",
    brokenBy: ({ sqlstates }) => sqlstates.filter(isConflict),
  },
  {
    key: "unforeseen_errors",
    says: "PostgreSQL logs no error that no fault brought about.",
    brokenBy: ({ sqlstates }) =>
      sqlstates.filter((state) => !isConflict(state) && !BROUGHT_ABOUT.test(state)),
  },
  {
    key: "workers_ended",
    says: "No worker ends unless it is told to.",
    brokenBy: ({ endedByThemselves }) => endedByThemselves,
  },
];

/** From the last sign of life of each lease that was lost until the next grant. */
export function recoverySeconds({ leases }: Item, leaseSeconds: number): number[] {
  return pairs(leases)
    .filter(([one]) => one.ending === null || one.ending === "lost")
    .map(([one, next]) => (next.from - one.until) / 1000 + leaseSeconds);
}

/** The names of the items of which it is true. */
function each(isBroken: (item: Item) => boolean): Invariant["brokenBy"] {
  return ({ items }) => [...items.values()].filter(isBroken).map(({ name }) => name);
}

function hasEnded({ status }: Item["entries"][number]): boolean {
  return ["completed", "failed", "cancelled"].includes(status);
}

/** Handed back or settled by its holder a lease is over; taken away it lives until its time is up. */
function overlapInHistory({ leases, history }: Item): boolean {
  return pairs(leases).some(([one, next]) => {
    const granted = history.find(({ event, fence }) =>
      event === "granted" && fence === next.fence
    )!;
    const lives = one.ending === null || one.ending === "lost" || one.endingN > granted.n;
    return lives && next.from < one.until;
  });
}

function overlapInRecord({ beliefs }: Item): boolean {
  return beliefs.some((one) =>
    beliefs.some((other) =>
      one.fence !== other.fence && one.from < other.until && other.from < one.until
    )
  );
}

function settledByAnother({ history }: Item): boolean {
  let [holder, isLost] = [null as string | null, false];
  return history.some(({ event, fence }) => {
    if (event === "granted") [holder, isLost] = [fence, false];
    if (event === "lost") isLost = true;
    if (!["completed", "failed", "failed_for_good", "lost"].includes(event)) return false;
    // The last loss that an item may have is at once its end.
    return fence !== holder || isLost && ["completed", "failed"].includes(event);
  });
}

/** A worker was told that its outcome counts, and under its fence there is no such outcome. */
function acceptedInVain({ accepted, history }: Item): boolean {
  const KEPT_AS: Record<string, HistoryEvent["event"][]> = {
    succeeded: ["completed"],
    failed: ["failed", "failed_for_good"],
    released: ["left"],
  };
  return accepted.some(({ fence, ending }) =>
    !history.some((event) => event.fence === fence && KEPT_AS[ending].includes(event.event))
  );
}

/** In the order of the grants: who was granted an item first may come to it last. */
function isRepeatedForNoReason({ executions, leases }: Item): boolean {
  const inOrder = executions.toSorted((one, other) => Number(one.fence) - Number(other.fence));
  return pairs(inOrder).some(([one, next]) => {
    const lease = leases.find(({ fence }) => fence === one.fence);
    return one.fence === next.fence || !lease || !MAY_BE_FOLLOWED.includes(lease.ending);
  });
}

function hasWrongAttempts(item: Item, maxLosses: number): boolean {
  const [entry] = item.entries;
  if (!entry) return false;
  const count = (event: HistoryEvent["event"]) =>
    item.history.filter((e) => e.event === event).length;
  const gaveUp = count("failed_for_good") > 0;
  if (gaveUp && entry.behaviour === "fails_permanently") return false;
  if (item.surface === "thoughts") {
    const used = count("failed") + lostOf(item.leases) + count("failed_for_good");
    return used > THOUGHT_ATTEMPTS || gaveUp !== (used === THOUGHT_ATTEMPTS);
  }
  // The failure or loss that was the last one is noted like the others.
  const [failures, losses] = [count("failed"), count("lost")];
  const usedUp = failures >= entry.maxAttempts || losses >= maxLosses;
  return failures > entry.maxAttempts || losses > maxLosses || gaveUp !== usedUp;
}

/** An expired claim on a thought may be taken over at once, without being noted as lost first. */
function lostOf(leases: Lease[]): number {
  return pairs(leases).filter(([one]) => one.ending === null || one.ending === "lost").length;
}

function isConflict(sqlstate: string): boolean {
  return sqlstate === "40P01" || sqlstate === "40001";
}

function pairs<T>(list: T[]): [T, T][] {
  return list.slice(1).map((next, n) => [list[n], next]);
}
