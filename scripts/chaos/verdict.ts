import type { Findings, Plan } from "./experiment.ts";
import { type Invariant, INVARIANTS, recoverySeconds } from "./invariants.ts";

/** The result; the JSON that `npm run chaos -- --json` prints. */
export interface Verdict {
  ok: boolean;
  seed: number;
  seconds: number;
  tasks: number;
  thoughts: number;
  executions: number;
  /** Each kind by its name, and all together as `total`. */
  faults: Record<string, number>;
  /** Leases that ran out, and how long it took until somebody else had what they held. */
  leases_lost: number;
  recovery_p99_seconds: number | null;
  /** Reports that came too late and were refused. */
  stale_refused: number;
  /** How often each invariant is broken, by its key. */
  broken: Record<string, string[]>;
  [invariant: string]: unknown;
}

/** Holds what was found against every invariant. */
export function judge(
  { evidence, faults, record }: Findings,
  { seed, tasks, thoughts }: Plan,
  seconds: number,
): { verdict: Verdict; broken: { invariant: Invariant; by: string[] }[] } {
  const held = INVARIANTS.map((invariant) => ({ invariant, by: invariant.brokenBy(evidence) }));
  const broken = held.filter(({ by }) => by.length > 0);
  const items = [...evidence.items.values()];
  const recoveries = items.flatMap((item) => recoverySeconds(item, evidence.leaseSeconds));
  const total = Object.values(faults).reduce((sum, count) => sum + count, 0);
  const verdict = {
    ok: broken.length === 0,
    seed,
    seconds,
    tasks,
    thoughts,
    executions: items.reduce((sum, { executions }) => sum + executions.length, 0),
    faults: { total, ...faults },
    ...Object.fromEntries(held.map(({ invariant: { key }, by }) => [key, by.length])),
    leases_lost: recoveries.length,
    recovery_p99_seconds: percentile(recoveries, 0.99),
    stale_refused: countRefused(record),
    broken: Object.fromEntries(broken.map(({ invariant: { key }, by }) => [key, by.slice(0, 20)])),
  };
  return { verdict, broken };
}

/** Items that a worker reported on and whose outcome was not accepted. */
function countRefused(record: Findings["record"]): number {
  const reported = new Map<string, Set<string>>();
  let refused = 0;
  for (const line of record) {
    if (line.kind === "settling") reported.set(line.by + line.fence, new Set(line.items));
    if (line.kind === "settled") {
      const items = reported.get(line.by + line.fence) ?? new Set();
      refused += [...items].filter((item) => !(item in line.accepted)).length;
    }
  }
  return refused;
}

function percentile(values: number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((one, other) => one - other);
  return Number(sorted[Math.ceil(share * sorted.length) - 1].toFixed(1));
}
