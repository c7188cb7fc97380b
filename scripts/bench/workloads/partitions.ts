import { dibs } from "../contenders/dibs.ts";
import { dibsPartitioned } from "../contenders/dibs_partitioned.ts";
import { measureDrain } from "../drained.ts";
import { type Cell, enqueueAll, newTask, type Scale } from "../workload.ts";

const CONTENDERS = [dibs, dibsPartitioned];
const TASKS = new Map([[1, 4_000], [10, 20_000], [100, 60_000]]);

/** What it would cost to keep the log and the outcomes in partitions: enqueueing, and draining. */
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
    ...Array.from(TASKS, ([batch, usual]): Cell => ({
      workload: "partitions",
      name: `drain, W1 b${batch}`,
      contenders: CONTENDERS,
      async measure(contender, database) {
        const drain = { workers: 1, batch, tasks: tasks ?? (quick ? usual / 20 : usual) };
        const { figures } = await measureDrain(contender, database, drain);
        return { tasks_per_second: figures.tasks_per_second, call_p50_ms: figures.call_p50_ms };
      },
    })),
  ];
}
