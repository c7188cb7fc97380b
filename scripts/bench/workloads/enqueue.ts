import { contenders } from "../contenders/index.ts";
import { startFootprint } from "../footprint.ts";
import { type Cell, enqueueAll, type Scale } from "../workload.ts";

const QUICK = ["dibs", "pgmq"];

/** Enqueueing, 1,000 tasks per call over one connection. */
export function enqueueCells({ quick, tasks = quick ? 5_000 : 20_000 }: Scale): Cell[] {
  return [{
    workload: "enqueue",
    name: "1,000 a call",
    contenders: contenders.filter(({ name }) => !quick || QUICK.includes(name)),
    async measure(contender, database) {
      const queue = await contender.open(database);
      // The first call pays for the connection and its plans.
      await enqueueAll(queue, 1);
      const footprint = await startFootprint(database);
      const began = performance.now();
      await enqueueAll(queue, tasks);
      const seconds = (performance.now() - began) / 1000;
      const left = await queue.left();
      await queue[Symbol.asyncDispose]();
      if (left !== tasks + 1) throw new Error(`of ${tasks + 1} tasks enqueued ${left} are there`);
      return { tasks_per_second: tasks / seconds, ...await footprint.end(tasks) };
    },
  }];
}
