import type { Sql } from "postgres";
import type { BenchDatabase } from "../cluster.ts";
import { dibs } from "../contenders/dibs.ts";
import { addThoughts } from "../thoughts.ts";
import type { Cell, Figures, Scale } from "../workload.ts";

const WORKERS = 4;
const BATCH = 100;
const LONGEST_MS = 120_000;

/** A call that was granted something: when it ended, how long it took, how many thoughts it got. */
interface Grant {
  at: number;
  milliseconds: number;
  thoughts: number;
}

/** Claiming and settling the next thoughts until all are done. Only Dibs has them. */
export function nextThoughtsCells({ quick, tasks = quick ? 6_000 : 1_000_000 }: Scale): Cell[] {
  return [{
    workload: "next_thoughts",
    name: `W${WORKERS} b${BATCH}, ${tasks.toLocaleString("en")}`,
    contenders: [dibs],
    measure: (_, database) => measureNext(database, tasks),
  }];
}

async function measureNext(database: BenchDatabase, thoughts: number): Promise<Figures> {
  await addThoughts(database, thoughts);
  const claimed = new Set<string>();
  const grants: Grant[] = [];
  const began = performance.now();
  const held = await Promise.all(Array.from({ length: WORKERS }, async (_, i) => {
    const worker = newWorker(database.connect(), `worker-${i + 1}`);
    while (true) {
      const asked = performance.now();
      const ids = await worker.next();
      const at = performance.now();
      for (const id of ids) {
        if (claimed.has(id)) throw new Error(`thought ${id} was claimed twice`);
        claimed.add(id);
      }
      if (ids.length > 0) grants.push({ at, milliseconds: at - asked, thoughts: ids.length });
      // Nothing may only mean that another worker is searching.
      if (ids.length === 0 && claimed.size === thoughts) return 0;
      if (at - began > LONGEST_MS) return ids.length;
    }
  }));
  const [{ settled }] = await database.superuser`
    select count(*)::int as settled from public.thought_work_claims where status = 'succeeded'`;
  const expected = claimed.size - held.reduce((sum, ids) => sum + ids, 0);
  if (settled !== expected) throw new Error(`of ${expected} thoughts ${settled} were settled`);
  return {
    executed: claimed.size,
    tasks_per_second: claimed.size / (grants[grants.length - 1].at - began) * 1000,
    last_tenth_against_first: rate(grants, 0.9, 0.999) / rate(grants, 0.05, 0.15),
    // Without the waiting for each other when hardly any are left.
    last_tenth_call_against_first: cost(grants, 0, 0.1) / cost(grants, 0.9, 1),
  };
}

function newWorker(sql: Sql, workerId: string) {
  let fence: string | null = null;
  return {
    /** Settles what it holds and claims the next; the ids of those. */
    async next(): Promise<string[]> {
      if (fence === null) {
        const rows = await sql<{ id: string; fence: string }[]>`
          select thought_id as id, fence
          from public.claim_next_thoughts('bench', ${workerId}, ${BATCH})`;
        fence = rows[0]?.fence ?? null;
        return rows.map(({ id }) => id);
      }
      const [{ answer }]: { answer: { fence: string | null; thoughts: { id: string }[] } }[] =
        await sql`
          select public.settle_and_claim_thoughts(
            ${fence}, '[]', 'succeeded', 'bench', ${workerId}, ${BATCH}) as answer`;
      fence = answer.fence;
      return answer.thoughts.map(({ id }) => id);
    },
  };
}

/** Thoughts per second between two parts of the way, 0 to 1. */
function rate(grants: Grant[], from: number, to: number): number {
  const part = between(grants, from, to);
  const milliseconds = part[part.length - 1].at - part[0].at;
  return sum(part.slice(1), "thoughts") / milliseconds * 1000;
}

/** Milliseconds that the calls took for each thought. */
function cost(grants: Grant[], from: number, to: number): number {
  const part = between(grants, from, to);
  return sum(part, "milliseconds") / sum(part, "thoughts");
}

function between(grants: Grant[], from: number, to: number): Grant[] {
  return grants.slice(Math.floor(from * grants.length), Math.ceil(to * grants.length));
}

function sum(grants: Grant[], figure: "thoughts" | "milliseconds"): number {
  return grants.reduce((total, grant) => total + grant[figure], 0);
}
