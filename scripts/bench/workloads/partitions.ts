import type { BenchDatabase } from "../cluster.ts";
import { dibs } from "../contenders/dibs.ts";
import { dibsPartitioned } from "../contenders/dibs_partitioned.ts";
import { measureDrain } from "../drained.ts";
import { percentile } from "../percentile.ts";
import { type Cell, enqueueAll, newTask, type Scale } from "../workload.ts";

const CONTENDERS = [dibs, dibsPartitioned];
const DRAINS = [
  { workers: 1, batch: 1, usual: 4_000 },
  { workers: 1, batch: 10, usual: 20_000 },
  { workers: 1, batch: 100, usual: 60_000 },
  { workers: 4, batch: 1, usual: 8_000 },
  { workers: 4, batch: 100, usual: 60_000 },
];

/** What it would cost to keep the log and the outcomes in partitions: to enqueue, to drain, to look at one task. */
export function partitionsCells({ quick, tasks }: Scale): Cell[] {
  return [
    ...[1, 1_000].map((perCall): Cell => ({
      workload: "partitions",
      name: `enqueue, ${perCall.toLocaleString("en")} a call`,
      contenders: CONTENDERS,
      async measure(contender, database) {
        const calls = perCall === 1 ? quick ? 200 : 3_000 : quick ? 5 : 60;
        const queue = await contender.open(database);
        await enqueueAll(queue, 1);
        const began = performance.now();
        for (let call = 0; call < calls; call++) await enqueueAll(queue, perCall, newTask);
        const seconds = (performance.now() - began) / 1000;
        await queue[Symbol.asyncDispose]();
        return { tasks_per_second: perCall * calls / seconds };
      },
    })),
    ...DRAINS.map(({ workers, batch, usual }): Cell => ({
      workload: "partitions",
      name: `drain, W${workers} b${batch}`,
      contenders: CONTENDERS,
      async measure(contender, database) {
        const drain = { workers, batch, tasks: tasks ?? (quick ? usual / 20 : usual) };
        const { figures } = await measureDrain(contender, database, drain);
        const { tasks_per_second, call_p50_ms } = figures;
        const lookup_p50_ms = await timeLookups(database, quick ? 20 : 200);
        return { tasks_per_second, call_p50_ms, lookup_p50_ms };
      },
    })),
  ];
}

/** Of tasks that have ended, by their ids. */
async function timeLookups(database: BenchDatabase, lookups: number): Promise<number> {
  const sql = database.connect();
  const took: number[] = [];
  for (const { id } of await sql`select id from dibs.log limit ${lookups}`) {
    const began = performance.now();
    await sql`select status from public.tasks where id = ${id}`;
    took.push(performance.now() - began);
  }
  await sql.end();
  return percentile(took, 0.5);
}
