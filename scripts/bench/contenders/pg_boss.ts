import { type ConstructorOptions, type JobInsert, PgBoss } from "pg-boss";
import { type Caller, drainByCalls } from "../calls.ts";
import type { BenchDatabase } from "../cluster.ts";
import type { Contender, DrainOptions, Payload, Task } from "../contender.ts";

const QUEUE = "bench";

/** pg-boss, fetching and completing in batches. */
export const pgBoss: Contender = {
  name: "pg_boss",
  keeps: "one row per task; no order, for speed",
  batches: true,
  priorities: true,
  delays: true,
  types: false,
  async install(database) {
    await using boss = await start(database, { migrate: true, createSchema: true });
    await boss.createQueue(QUEUE);
  },
  async open(database) {
    const boss = await start(database, {});
    // Its documentation says that heeding priorities makes fetching slower.
    let priority = false;
    return {
      async enqueue(tasks) {
        priority ||= tasks.some((task) => task.priority);
        await boss.insert(QUEUE, tasks.map(toJob));
      },
      drain: (options) => drain(database, options, priority),
      claim: async (batch) => (await fetch(boss, batch, priority)).length,
      async left() {
        const { rows } = await boss.getDb().executeSql(
          "select count(*)::int as left from pgboss.job where name = $1 and state < 'completed'",
          [QUEUE],
        );
        return rows[0].left;
      },
      [Symbol.asyncDispose]: () => boss[Symbol.asyncDispose](),
    };
  },
};

/** Starts it without the services that only keep house. */
async function start({ url }: BenchDatabase, options: Partial<ConstructorOptions>) {
  const boss = new PgBoss({
    connectionString: url,
    supervise: false,
    schedule: false,
    migrate: false,
    createSchema: false,
    ...options,
  });
  boss.on("error", () => {});
  await boss.start();
  return Object.assign(boss, {
    [Symbol.asyncDispose]: () => boss.stop({ graceful: false, close: true }),
  });
}

function toJob({ payload, priority = 0, delaySeconds }: Task): JobInsert<Payload> {
  return { data: payload, priority: -priority, startAfter: delaySeconds };
}

async function drain(database: BenchDatabase, options: DrainOptions, priority: boolean) {
  const { workers, batch } = options;
  await using boss = await start(database, { max: workers });
  const callers = Array.from({ length: workers }, () => newCaller(boss, batch, priority));
  await drainByCalls(callers, options);
}

function newCaller(boss: PgBoss, batch: number, priority: boolean): Caller {
  let held: string[] = [];
  const finish = async (failed: number[]) => {
    const failing = failed.map((place) => held[place]);
    const succeeded = failing.length > 0 ? held.filter((id) => !failing.includes(id)) : held;
    if (succeeded.length > 0) await boss.complete(QUEUE, succeeded);
    if (failing.length > 0) await boss.fail(QUEUE, failing);
    held = [];
  };
  return {
    reportsFailures: true,
    async next(failed) {
      await finish(failed);
      const jobs = await fetch(boss, batch, priority);
      held = jobs.map((job) => job.id);
      return jobs.map((job) => job.data);
    },
    finish,
  };
}

/** Without an order to heed, what a fetch costs does not grow with the backlog. */
async function fetch(boss: PgBoss, batchSize: number, priority: boolean) {
  return await boss.fetch<Payload>(QUEUE, { batchSize, priority, orderByCreatedOn: false });
}
