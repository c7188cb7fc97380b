import type { Sql } from "postgres";
import type { BenchDatabase } from "../cluster.ts";
import { dibs } from "../contenders/dibs.ts";
import type { Cell, Figures, Scale } from "../workload.ts";

const WORKERS = 4;
const BATCH = 100;

/** Claims on thoughts: the next ones, and settling in bulk. Only Dibs has them. */
export function claimsCells({ quick, tasks = quick ? 3_000 : 100_000 }: Scale): Cell[] {
  const cell = { workload: "claims", contenders: [dibs] };
  return [
    {
      ...cell,
      name: `next, W${WORKERS} b${BATCH}`,
      measure: (_, database) => measureNext(database, tasks),
    },
    {
      ...cell,
      name: `settle ${BATCH}`,
      measure: (_, database) => measureSettling(database, quick ? 5 : 20),
    },
  ];
}

/** Claims thoughts and settles them until all are done. */
async function measureNext(database: BenchDatabase, thoughts: number): Promise<Figures> {
  await addThoughts(database, thoughts);
  const connections = Array.from({ length: WORKERS }, () => database.connect());
  const claimed = new Set<string>();
  const moments: number[] = [];
  await Promise.all(connections.map(async (sql, i) => {
    const workerId = `worker-${i + 1}`;
    let ids: string[] = [];
    let fence: string | null = null;
    const take = (thoughts: { id: string }[]) => {
      ids = thoughts.map(({ id }) => id);
      for (const id of ids) {
        if (claimed.has(id)) throw new Error(`thought ${id} was claimed twice`);
        claimed.add(id);
        moments.push(performance.now());
      }
    };
    do {
      if (fence === null) {
        const rows = await sql<{ id: string; fence: string }[]>`
          select thought_id as id, fence
          from public.claim_next_thoughts('bench', ${workerId}, ${BATCH})`;
        fence = rows[0]?.fence ?? null;
        take(rows);
      } else {
        const [{ answer }]: { answer: { fence: string | null; thoughts: { id: string }[] } }[] =
          await sql`
            select public.settle_and_claim_thoughts(
              ${fence}, '[]', 'succeeded', 'bench', ${workerId}, ${BATCH}) as answer`;
        fence = answer.fence;
        take(answer.thoughts);
      }
      // Nothing may only mean that another worker is searching.
    } while (claimed.size < thoughts || ids.length > 0);
  }));
  const [{ settled }] = await database.superuser`
    select count(*)::int as settled from public.thought_work_claims where status = 'succeeded'`;
  if (settled !== thoughts) throw new Error(`of ${thoughts} thoughts ${settled} were settled`);

  const rate = (from: number, to: number) => {
    const [first, last] = [from, to].map((part) => Math.floor(part * (thoughts - 1)));
    return (last - first) / (moments[last] - moments[first]) * 1000;
  };
  return {
    executed: thoughts,
    tasks_per_second: rate(0.1, 1),
    last_tenth_against_first: rate(0.9, 1) / rate(0.05, 0.15),
  };
}

/** Settles claims a hundred at once by their fence, and one by one as release_thought does. */
async function measureSettling(database: BenchDatabase, rounds: number): Promise<Figures> {
  await addThoughts(database, 2 * BATCH * rounds);
  const sql = database.connect();
  let atOnce = 0;
  let oneByOne = 0;
  for (let round = 0; round < rounds; round++) {
    const [{ fence }] = await claim(sql);
    atOnce += await timed(() => sql`select public.settle_lease(${fence}, '[]', 'succeeded')`);
    const claims = await claim(sql);
    oneByOne += await timed(async () => {
      for (const { id } of claims) {
        await sql`select public.release_thought(${id}, 'bench', 'worker', 'succeeded')`;
      }
    });
  }
  return {
    executed: 2 * BATCH * rounds,
    tasks_per_second: BATCH * rounds / atOnce,
    bulk_against_one_by_one: oneByOne / atOnce,
  };
}

async function claim(sql: Sql) {
  const claims = await sql<{ id: string; fence: string }[]>`
    select thought_id as id, fence from public.claim_next_thoughts('bench', 'worker', ${BATCH})`;
  if (claims.length !== BATCH) throw new Error(`${claims.length} thoughts were claimed`);
  return claims;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

async function addThoughts({ superuser }: BenchDatabase, thoughts: number): Promise<void> {
  await superuser`
    insert into public.thoughts (content)
    select 'thought number ' || n from generate_series(1, ${thoughts}::int) n`;
  await superuser`analyze`;
}
