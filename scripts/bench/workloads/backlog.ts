import type { BenchDatabase } from "../cluster.ts";
import type { Contender, Queue, Task } from "../contender.ts";
import { contenders } from "../contenders/index.ts";
import { withBacklog } from "../loaded.ts";
import { percentile } from "../percentile.ts";
import { type Cell, enqueueAll, type Figures, newTask, type Scale } from "../workload.ts";

const MEASURED = ["dibs", "limit", "pgmq"];
const QUICK = ["dibs", "pgmq"];
const LOADERS = 3;
const BATCHES = [1, 10, 100];
const WARM_UP = 20;

/** Of the first so many, what is due is worked off before the others come. */
const WORKED_OFF = 0.05;

/**
 * Claim calls on a long backlog of 5 priorities, of which a fifth is in the future. In a queue that
 * is in service what is due goes, and what is in the future gathers at the head.
 */
export function backlogCells({ quick, tasks }: Scale): Cell[] {
  const lengths = tasks ? [tasks] : quick ? [30_000] : [10_000, 100_000, 1_000_000];
  const cells = lengths.map((pending) => ({ pending, name: name(pending), workedOff: WORKED_OFF }));
  const longest = lengths[lengths.length - 1];
  if (!quick) {
    cells.push({ pending: longest, name: `${name(longest)}, untouched`, workedOff: 0 });
  }
  return cells.map(({ pending, name, workedOff }) =>
    withBacklog(quick, (contender, database) => load(contender, database, pending, workedOff), {
      workload: "backlog",
      name,
      contenders: contenders.filter(({ name }) => (quick ? QUICK : MEASURED).includes(name)),
      measure: async (contender, database) => ({
        pending,
        ...await measureClaims(contender, database, quick ? 40 : 300),
      }),
    })
  );
}

function name(pending: number): string {
  return `${pending.toLocaleString("en")} pending`;
}

/** How long claims take of one worker that keeps what it gets. */
export async function measureClaims(
  contender: Contender,
  database: BenchDatabase,
  calls: number,
): Promise<Figures> {
  const queue = await contender.open(database);
  const figures: Figures = {};
  for (const batch of BATCHES) {
    await timeClaims(queue, batch, WARM_UP);
    const took = await timeClaims(queue, batch, calls);
    figures[`claim_b${batch}_p50_ms`] = percentile(took, 0.5);
    figures[`claim_b${batch}_p99_ms`] = percentile(took, 0.99);
  }
  await queue[Symbol.asyncDispose]();
  return figures;
}

async function timeClaims(queue: Queue, batch: number, calls: number): Promise<number[]> {
  if (!queue.claim) throw new Error("it has no claim to measure");
  const took: number[] = [];
  for (let call = 0; call < calls; call++) {
    const began = performance.now();
    const claimed = await queue.claim(batch);
    took.push(performance.now() - began);
    if (claimed !== batch) throw new Error(`a claim of ${batch} got ${claimed}`);
    // The backlog stays as it is, also where it is short.
    await enqueueAll(queue, batch);
  }
  return took;
}

async function load(
  contender: Contender,
  database: BenchDatabase,
  tasks: number,
  workedOff: number,
): Promise<void> {
  const first = workedOff * tasks;
  const queue = await contender.open(database);
  await enqueueAll(queue, first, newMixedTask);
  const { signal } = new AbortController();
  await queue.drain({ workers: LOADERS, batch: 100, execute() {}, signal });
  const left = await queue.left();
  await queue[Symbol.asyncDispose]();
  await Promise.all(Array.from({ length: LOADERS }, async (_, loader) => {
    const queue = await contender.open(database);
    const share = Math.ceil((tasks - left) / LOADERS);
    const begin = first + loader * share;
    const length = Math.min(share, first + tasks - left - begin);
    await enqueueAll(queue, length, (n) => newMixedTask(begin + n));
    await queue[Symbol.asyncDispose]();
  }));
}

function newMixedTask(n: number): Task {
  const inFuture = Math.floor(n / 5) % 5 === 0;
  // No run of the bench is so long that the future part becomes due.
  return { ...newTask(n), priority: n % 5, delaySeconds: inFuture ? 86_400 : undefined };
}
