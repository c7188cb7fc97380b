import type { BenchDatabase } from "../cluster.ts";
import { dibs } from "../contenders/dibs.ts";
import { addThoughts } from "../thoughts.ts";
import type { Cell, Figures, Scale } from "../workload.ts";

const WORKERS = 4;
const BATCH = 100;

/** Workers that all claim the same thoughts by id, from the same end or each from its own place. */
export function racingCells({ quick, tasks = quick ? 4_000 : 30_000 }: Scale): Cell[] {
  return ["same order", "own starts"].map((order, ownStarts) => ({
    workload: "racing",
    name: `W${WORKERS} b${BATCH}, ${order}`,
    contenders: [dibs],
    measure: (_, database) => measureRacing(database, tasks, ownStarts === 1),
  }));
}

async function measureRacing(
  database: BenchDatabase,
  thoughts: number,
  ownStarts: boolean,
): Promise<Figures> {
  await addThoughts(database, thoughts);
  const rows = await database.superuser<
    { id: string }[]
  >`select id from public.thoughts order by id`;
  const batches = Array.from(
    { length: Math.ceil(thoughts / BATCH) },
    (_, i) => rows.slice(i * BATCH, (i + 1) * BATCH).map(({ id }) => id),
  );
  const connections = Array.from({ length: WORKERS }, () => database.connect());
  await Promise.all(connections.map((sql) => sql`select 1`));
  const winners = new Map<string, number>();
  const began = performance.now();
  await Promise.all(connections.map(async (sql, worker) => {
    const first = ownStarts ? Math.floor(worker * batches.length / WORKERS) : 0;
    for (const ids of [...batches.slice(first), ...batches.slice(0, first)]) {
      const won = await sql<{ id: string }[]>`
        select claim_thoughts as id
        from public.claim_thoughts(${ids}, 'bench', ${`worker-${worker + 1}`})`;
      for (const { id } of won) {
        if (winners.has(id)) throw new Error(`thought ${id} was won twice`);
        winners.set(id, worker);
      }
    }
  }));
  const seconds = (performance.now() - began) / 1000;
  if (winners.size !== thoughts) throw new Error(`of ${thoughts} ${winners.size} were won`);
  return { executed: thoughts, tasks_per_second: thoughts / seconds };
}
