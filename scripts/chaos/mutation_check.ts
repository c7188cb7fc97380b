import { experiment, type Narrator, type Plan } from "./experiment.ts";
import { mutatedProject } from "./mutated_project.ts";
import type { Mutation } from "./mutations.ts";

/** The result; the JSON that `npm run chaos -- --mutations --json` prints. */
export interface MutationReport {
  ok: boolean;
  seed: number;
  seconds: number;
  planted: number;
  detected: number;
  /** By the name of the bug, the invariants that it broke: none, if nobody noticed it. */
  broken: Record<string, string[]>;
}

/** Small, and yet enough for every one of the bugs. */
const SIZE = { tasks: 2_400, thoughts: 400, workers: 8, patienceMs: 8_000 };

/** What takes an unlucky moment may not meet one. */
const TRIES = 3;

/** Mostly they wait for leases to run out. */
const AT_ONCE = 2;

/** What to run so that this bug shows itself. */
export function planFor({ kinds, faults, size }: Mutation, seed: number): Plan {
  return { ...SIZE, ...size, kinds, faults, seed };
}

/** Plants each bug in a run of its own; `heard` is told which invariants it broke. */
export async function checkMutations(
  mutations: Record<string, Mutation>,
  { seed, heard, signal }: {
    seed: number;
    heard(name: string, broken: string[]): void;
    signal: AbortSignal;
  },
): Promise<MutationReport> {
  const began = Date.now();
  const broken: Record<string, string[]> = {};
  const waiting = Object.entries(mutations);
  const checks = Array.from({ length: AT_ONCE }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [name, mutation] = next;
      broken[name] = [];
      for (let nth = 0; nth < TRIES && broken[name].length === 0; nth++) {
        broken[name] = await invariantsBrokenBy(mutation, seed + nth, signal);
      }
      heard(name, broken[name]);
    }
  });
  // All of them end before any error goes on: each cleans up after itself.
  for (const { reason } of (await Promise.allSettled(checks)).filter(isRejected)) throw reason;
  const planted = Object.keys(broken).length;
  const detected = Object.values(broken).filter((keys) => keys.length > 0).length;
  const seconds = Math.round((Date.now() - began) / 1000);
  return { ok: detected === planted, seed, seconds, planted, detected, broken };
}

async function invariantsBrokenBy(
  mutation: Mutation,
  seed: number,
  signal: AbortSignal,
): Promise<string[]> {
  await using project = await mutatedProject(mutation);
  const plan = { ...planFor(mutation, seed), projectDir: project.dir };
  const { judge } = await experiment(plan, UNHEARD, signal);
  return judge.broken.map(({ key }) => key);
}

function isRejected(result: PromiseSettledResult<void>): result is PromiseRejectedResult {
  return result.status === "rejected";
}

const UNHEARD: Narrator = { step: () => {}, fault: () => {}, progress: () => {} };
