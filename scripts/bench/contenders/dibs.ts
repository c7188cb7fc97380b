import type { Sql } from "postgres";
import { migrate } from "../../stack/migrate.ts";
import { type Caller, drainByCalls } from "../calls.ts";
import type { BenchDatabase } from "../cluster.ts";
import type { Contender, DrainOptions, Payload, Queue } from "../contender.ts";

/** Dibs over SQL: tasks enqueued in bulk, a whole lease settled and the next claimed in one call. */
export const dibs: Contender = {
  name: "dibs",
  keeps: "everything",
  batches: true,
  install: ({ url }) => migrate(url),
  open(database) {
    return openDibs(database, async (sql, tasks) => {
      const items = tasks.map((payload) => ({ type: "bench", payload: { ...payload } }));
      await sql`select public.enqueue_tasks(${sql.json(items)})`;
    });
  },
};

/** The queue of Dibs, with the way tasks get into it. */
export async function openDibs(
  database: BenchDatabase,
  enqueue: (sql: Sql, tasks: Payload[]) => Promise<void>,
): Promise<Queue> {
  const sql = database.connect();
  await sql`select 1`;
  return {
    enqueue: (tasks) => enqueue(sql, tasks),
    drain: (options) => drain(database, options),
    async left() {
      const [{ left }] = await sql`
        select sum(tasks)::int as left from public.task_counts()
        where status in ('pending', 'processing')`;
      return left;
    },
    [Symbol.asyncDispose]: () => sql.end(),
  };
}

async function drain(database: BenchDatabase, options: DrainOptions): Promise<void> {
  const connections = Array.from({ length: options.workers }, () => database.connect());
  await drainByCalls(
    connections.map((sql, i) => newCaller(sql, `worker-${i + 1}`, options.batch)),
    options,
  );
  await Promise.all(connections.map((sql) => sql.end()));
}

function newCaller(sql: Sql, workerId: string, batch: number): Caller {
  let fence: string | null = null;
  return {
    async next() {
      if (fence === null) {
        const tasks = await sql`select * from public.claim_tasks(${workerId}, null, ${batch})`;
        fence = tasks[0]?.fence ?? null;
        return tasks.map((task) => task.payload);
      }
      const [{ answer }] = await sql`
        select public.settle_and_claim_tasks(
          ${fence}, '[]', 'succeeded', ${workerId}, null, ${batch}) as answer`;
      fence = answer.fence;
      return answer.tasks.map((task: { payload: Payload }) => task.payload);
    },
    async finish() {
      if (fence !== null) await sql`select public.settle_lease(${fence}, '[]', 'succeeded')`;
    },
  };
}
