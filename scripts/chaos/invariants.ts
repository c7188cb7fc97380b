// longer than 300 lines because one reads side by side what must hold
import { CONTEST_LEASE_SECONDS } from "./contest.ts";
import type { HistoryEvent, Item, Lease } from "./evidence.ts";
import { THOUGHT_ATTEMPTS } from "./workload.ts";

/** What must hold whatever goes wrong. */
interface Invariant {
  /** What it is called in the result, where it says how often it was broken. */
  key: string;
  says: string;
}

/** What must hold of every item. */
export interface ItemInvariant extends Invariant {
  isBrokenBy(item: Item, terms: Terms): boolean;
  /** Of those as well that rivals contend for, which never end. */
  ofContested?: true;
}

/** What must hold of the run as a whole. */
export interface RunInvariant extends Invariant {
  /** Sentences that say what breaks it. */
  brokenBy(testimony: Testimony): string[];
}

/** What items are held against. */
export interface Terms {
  leaseSeconds: number;
  maxLosses: number;
}

/** What is known of the run as a whole. */
export interface Testimony extends Terms {
  /** What is wrong with the tables of tasks. */
  unsound: string[];
  /** Tasks that were granted though their limit or their order did not let them. */
  overLimits: string[];
  outOfOrder: string[];
  errors: LoggedError[];
  /** What other roles than the service role may do. */
  openDoors: string[];
  /** Logs in which a payload is to be read. */
  leaks: string[];
  /** Workers that ended though nobody had told them to, with their last words. */
  endedByThemselves: string[];
}

/** An error in PostgreSQL's log, and the lines that go with it. */
export interface LoggedError {
  sqlstate: string;
  said: string;
}

/** What is expired is in other hands after its lease and this. */
const RECOVERY_SECONDS = 15;
/** So much of a lease is there when it is granted. */
const LEAST_LEFT = 0.9;
const MAY_BE_FOLLOWED: Lease["ending"][] = [null, "lost", "failed", "left"];
const FINAL = ["completed", "failed_for_good", "cancelled"];
/** What faults bring about: connections cut, the server stopping, waits cut off; and who comes late is told. */
const BROUGHT_ABOUT = /^(00000|08|57|PT409)/;
/** A deadlock, a conflict of transactions, and a full lock table. */
const CONFLICTS = ["40P01", "40001", "53200"];

export const ITEM_INVARIANTS: ItemInvariant[] = [
  {
    key: "lost",
    says: "Whatever was enqueued has completed, failed or been cancelled.",
    isBrokenBy: ({ entries }) => entries.length === 0 || !entries.every(hasEnded),
  },
  {
    key: "lease_overlaps",
    says: "Nobody is granted an item while somebody else's lease on it lives.",
    isBrokenBy: (item) => overlapInHistory(item) || overlapInRecord(item),
    ofContested: true,
  },
  {
    key: "fences_not_growing",
    says: "Of two grants of an item the later has the larger fence.",
    isBrokenBy: ({ leases }) =>
      pairs(leases.filter(({ byHand }) => !byHand))
        .some(([one, next]) => BigInt(next.fence) <= BigInt(one.fence)),
    ofContested: true,
  },
  {
    key: "short_leases",
    says: "A lease begins when it is granted, however long the claim had to wait.",
    isBrokenBy: ({ surface, leases }, terms) => {
      const seconds = surface === "contested" ? CONTEST_LEASE_SECONDS : terms.leaseSeconds;
      const leastMs = LEAST_LEFT * seconds * 1000;
      return leases.some(({ leftMs, byHand }) => leftMs < leastMs && !byHand);
    },
    ofContested: true,
  },
  {
    key: "unasked_grants",
    says: "Nobody is granted more than was asked for.",
    isBrokenBy: ({ wasUnasked }) => wasUnasked,
  },
  {
    key: "stale_accepted",
    says: "Only who holds an item can settle it; whoever comes late is told so.",
    isBrokenBy: (item) => settledByAnother(item) || acceptedInVain(item),
  },
  {
    key: "completed_unexecuted",
    says:
      "What has completed had been executed, to its end, under the very grant that completed it.",
    isBrokenBy: (item) =>
      item.history.some((event) => event.event === "completed" && !wasExecuted(item, event)),
  },
  {
    key: "unexplained_duplicates",
    says:
      "An item is enqueued once, and executed again only after its execution failed, was lost " +
      "or handed back.",
    isBrokenBy: (item) => item.entries.length > 1 || isRepeatedForNoReason(item),
  },
  {
    key: "doubled_emails",
    says: "Nobody gets the same email twice.",
    isBrokenBy: ({ delivered }) => delivered > 1,
  },
  {
    key: "unsent_emails",
    says: "What was to send an email and has completed, has sent it.",
    isBrokenBy: ({ entries, delivered }) =>
      entries.some((entry) =>
        entry.behaviour.startsWith("mails") && entry.status === "completed" && delivered === 0
      ),
  },
  {
    key: "parked_in_vain",
    says: "Where the provider drops repeats, nothing is left for a person to decide.",
    isBrokenBy: ({ entries, wasParked }) =>
      wasParked && entries.some(({ behaviour }) => behaviour !== "mails_without_key"),
  },
  {
    key: "wrong_postings",
    says:
      "What a task writes with its completion is there once if it completed, and else not at all.",
    isBrokenBy: ({ entries: [entry], posted }) =>
      posted !== Number(entry?.behaviour === "posts" && entry.status === "completed"),
  },
  {
    key: "wrong_attempts",
    says: "Items fail for good when their attempts are used up, no sooner and no later.",
    isBrokenBy: (item, { maxLosses }) => hasWrongAttempts(item, maxLosses),
  },
  {
    key: "ends_undone",
    says:
      "What has ended stays ended, unless it failed for an effect in doubt that was settled later.",
    isBrokenBy: ({ history, wasParked }) => {
      const end = history.findIndex(({ event }) => FINAL.includes(event));
      const goesOn = end >= 0 && end < history.length - 1;
      return goesOn && !(wasParked && history[end].event === "failed_for_good");
    },
  },
  {
    key: "slow_recoveries",
    says:
      `What is lost is granted again within the lease and ${RECOVERY_SECONDS} s, unless a limit is full.`,
    isBrokenBy: (item, { leaseSeconds }) =>
      !item.entries.some(({ isLimited }) => isLimited) &&
      recoverySeconds(item, leaseSeconds)
        .some((seconds) => seconds > leaseSeconds + RECOVERY_SECONDS),
  },
];

export const RUN_INVARIANTS: RunInvariant[] = [
  {
    key: "unsound_tables",
    says: "Every task is in exactly one place.",
    brokenBy: ({ unsound }) => unsound,
  },
  {
    key: "over_limits",
    says: "Of a limited key no more are held at once than its limit.",
    brokenBy: ({ overLimits }) => overLimits,
  },
  {
    key: "out_of_order",
    says: "Of an order key one is granted after the other has ended, in the order of enqueueing.",
    brokenBy: ({ outOfOrder }) => outOfOrder,
  },
  {
    key: "deadlocks",
    says: "No two calls wait for each other, and none is refused because of another.",
    brokenBy: ({ errors }) =>
      errors.filter(({ sqlstate }) => CONFLICTS.includes(sqlstate)).map(({ said }) => said),
  },
  {
    key: "unforeseen_errors",
    says: "PostgreSQL logs no error that no fault brought about.",
    brokenBy: ({ errors }) =>
      errors.filter(({ sqlstate }) =>
        !CONFLICTS.includes(sqlstate) && !BROUGHT_ABOUT.test(sqlstate)
      ).map(({ said }) => said),
  },
  {
    key: "open_doors",
    says: "Nobody but the service role can read, write or call anything.",
    brokenBy: ({ openDoors }) => openDoors,
  },
  {
    key: "leaked_payloads",
    says: "No payload is to be read in a log.",
    brokenBy: ({ leaks }) => leaks,
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

function hasEnded({ status }: Item["entries"][number]): boolean {
  return ["completed", "failed", "cancelled"].includes(status);
}

/** Handed back or settled by its holder a lease is over; taken away it lives until its time is up. */
function overlapInHistory({ leases }: Item): boolean {
  return pairs(leases).some(([one, next]) => {
    const lives = one.ending === null || one.ending === "lost" || one.endingN > next.grantedN;
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

function wasExecuted({ executions, entries }: Item, { fence, at }: HistoryEvent): boolean {
  const under = executions.filter((execution) => execution.fence === fence);
  // What completes by a write of its own does so before it ends, and may be killed in between.
  if (entries.some(({ behaviour }) => behaviour === "posts")) {
    return under.some(({ beganAt }) => beganAt <= at);
  }
  return under.some(({ succeeded, endedAt }) => succeeded && endedAt! <= at);
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
  if (gaveUp && (entry.behaviour === "fails_permanently" || item.wasParked)) return false;
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

function pairs<T>(list: T[]): [T, T][] {
  return list.slice(1).map((next, n) => [list[n], next]);
}
