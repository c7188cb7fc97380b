import type { Sql } from "postgres";
import { migrate } from "../../stack/migrate.ts";
import { type Caller, connect, drainOverConnections } from "../calls.ts";
import type { BenchDatabase } from "../cluster.ts";
import type { Contender, Payload, Queue, Task } from "../contender.ts";

/** Dibs over SQL: tasks enqueued in bulk, a whole lease settled and the next claimed in one call. */
export const dibs: Contender = {
  name: "dibs",
  keeps: "everything",
  batches: true,
  priorities: true,
  delays: true,
  types: true,
  install: ({ url }) => migrate(url),
  open(database) {
    return openDibs(database, async (sql, tasks) => {
      const items = tasks.map(toItem);
      await sql`select id from public.enqueue_tasks(${sql.json(items)})`;
    });
  },
};

/** The queue of Dibs, with the way tasks get into it. */
export async function openDibs(
  database: BenchDatabase,
  enqueue: (sql: Sql, tasks: Task[]) => Promise<void>,
): Promise<Queue> {
  const sql = await connect(database);
  return {
    enqueue: (tasks) => enqueue(sql, tasks),
    drain: (options) =>
      drainOverConnections(
        database,
        (sql, worker) => newCaller(sql, `worker-${worker + 1}`, options),
        options,
      ),
    async claim(batch) {
      const tasks = await sql`select * from public.claim_tasks('keeper', null, ${batch})`;
      return tasks.length;
    },
    async left() {
      const [{ left }] = await sql`
        select sum(tasks)::int as left from public.task_counts()
        where status in ('pending', 'processing')`;
      return left;
    },
    [Symbol.asyncDispose]: () => sql.end(),
  };
}

interface Claimed {
  id: string;
  payload: Payload;
  fence: string;
}

/** As an item of `enqueue_tasks`. */
export function toItem({ payload, type = "bench", priority, delaySeconds, key }: Task) {
  const run_at = delaySeconds && new Date(Date.now() + delaySeconds * 1000).toISOString();
  return { type, payload: { ...payload }, priority, run_at, key };
}

function newCaller(
  sql: Sql,
  workerId: string,
  { batch, types = null }: { batch: number; types?: string[] | null },
): Caller {
  let fence: string | null = null;
  let held: Claimed[] = [];
  const outcomes = (failed: number[]) =>
    sql.json(failed.map((place) => ({ id: held[place].id, status: "failed" })));
  return {
    reportsFailures: true,
    async next(failed) {
      if (fence === null) {
        held = await sql<Claimed[]>`
          select * from public.claim_tasks(${workerId}, ${types}, ${batch})`;
        fence = held[0]?.fence ?? null;
      } else {
        const [{ answer }] = await sql`
          select public.settle_and_claim_tasks(
            ${fence}, ${outcomes(failed)}, 'succeeded', ${workerId}, ${types}, ${batch}) as answer`;
        fence = answer.fence;
        held = answer.tasks;
      }
      return held.map(({ payload }) => payload);
    },
    async finish(failed) {
      if (fence === null) return;
      await sql`select public.settle_lease(${fence}, ${outcomes(failed)}, 'succeeded')`;
    },
  };
}
