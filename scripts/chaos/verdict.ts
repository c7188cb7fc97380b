import type { Plan } from "./experiment.ts";
import { ITEM_INVARIANTS, RUN_INVARIANTS } from "./invariants.ts";
import type { Judge } from "./judge.ts";

/** The result; the JSON that `npm run chaos -- --json` prints. Each invariant's key says how often it was broken. */
export interface Verdict {
  ok: boolean;
  seed: number;
  seconds: number;
  tasks: number;
  thoughts: number;
  workers: number;
  executions: number;
  faults: number;
  faults_by_kind: Record<string, number>;
  /** Leases that ran out, and how long it took until somebody else had what they held. */
  leases_lost: number;
  recovery_p99_seconds: number | null;
  recovery_max_seconds: number | null;
  /** Reports that came too late and were refused. */
  stale_refused: number;
  emails: Judge["mails"];
  /** Tasks whose email a person must ask the provider about. */
  parked: string[];
  /** What breaks an invariant, by its key. */
  broken: Record<string, string[]>;
  [invariant: string]: unknown;
}

export const INVARIANTS = [...ITEM_INVARIANTS, ...RUN_INVARIANTS];

/** Sums up what the judge heard. */
export function verdictOf(
  judge: Judge,
  { seed, tasks, thoughts, workers }: Plan,
  faults: Record<string, number>,
  seconds: number,
): Verdict {
  const { broken, recoveries } = judge;
  const times = new Map(broken.map(({ key, times }) => [key, times]));
  const sorted = recoveries.toSorted((one, other) => one - other);
  return {
    ok: broken.length === 0,
    seed,
    seconds: rounded(seconds),
    tasks,
    thoughts,
    workers,
    executions: judge.executions,
    faults: Object.values(faults).reduce((sum, count) => sum + count, 0),
    faults_by_kind: faults,
    ...Object.fromEntries(INVARIANTS.map(({ key }) => [key, times.get(key) ?? 0])),
    leases_lost: recoveries.length,
    recovery_p99_seconds: atShare(sorted, 0.99),
    recovery_max_seconds: atShare(sorted, 1),
    stale_refused: judge.staleRefused,
    emails: judge.mails,
    parked: judge.parked,
    broken: Object.fromEntries(broken.map(({ key, by }) => [key, by])),
  };
}

function atShare(sorted: number[], share: number): number | null {
  if (sorted.length === 0) return null;
  return rounded(sorted[Math.ceil(share * sorted.length) - 1]);
}

function rounded(seconds: number): number {
  return Number(seconds.toFixed(1));
}
