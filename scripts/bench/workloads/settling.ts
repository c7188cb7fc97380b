import type { Sql } from "postgres";
import type { BenchDatabase } from "../cluster.ts";
import { dibs } from "../contenders/dibs.ts";
import { addThoughts } from "../thoughts.ts";
import type { Cell, Figures, Scale } from "../workload.ts";

const CLAIMS = 100;

/** Settling claims on thoughts in bulk by their fence, and one by one as release_thought does. */
export function settlingCells({ quick }: Scale): Cell[] {
  return [{
    workload: "settling",
    name: `${CLAIMS} claims`,
    contenders: [dibs],
    measure: (_, database) => measureSettling(database, quick ? 3 : 20),
  }];
}

async function measureSettling(database: BenchDatabase, rounds: number): Promise<Figures> {
  await addThoughts(database, 2 * CLAIMS * (rounds + 1));
  const sql = database.connect();
  let bulk = 0;
  let single = 0;
  for (let round = 0; round <= rounds; round++) {
    const [{ fence }] = await claim(sql);
    const atOnce = await timed(() => sql`select public.settle_lease(${fence}, '[]', 'succeeded')`);
    const claims = await claim(sql);
    const oneByOne = await timed(async () => {
      for (const { id } of claims) {
        await sql`select public.release_thought(${id}, 'bench', 'worker', 'succeeded')`;
      }
    });
    // The first round plans.
    if (round === 0) continue;
    bulk += atOnce;
    single += oneByOne;
  }
  return {
    executed: CLAIMS * rounds,
    tasks_per_second: CLAIMS * rounds / bulk,
    bulk_against_one_by_one: single / bulk,
  };
}

async function claim(sql: Sql) {
  const claims = await sql<{ id: string; fence: string }[]>`
    select thought_id as id, fence from public.claim_next_thoughts('bench', 'worker', ${CLAIMS})`;
  if (claims.length !== CLAIMS) throw new Error(`${claims.length} thoughts were claimed`);
  return claims;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}
