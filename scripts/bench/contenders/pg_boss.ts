import { type ConstructorOptions, PgBoss } from "pg-boss";
import { type Caller, drainByCalls } from "../calls.ts";
import type { BenchDatabase } from "../cluster.ts";
import type { Contender, DrainOptions, Payload } from "../contender.ts";

const QUEUE = "bench";

/** pg-boss, fetching and completing in batches. */
export const pgBoss: Contender = {
  name: "pg_boss",
  keeps: "one row per task",
  batches: true,
  async install(database) {
    await using boss = await start(database, { migrate: true, createSchema: true });
    await boss.createQueue(QUEUE);
  },
  async open(database) {
    const boss = await start(database, {});
    return {
      async enqueue(tasks) {
        await boss.insert(QUEUE, tasks.map((data) => ({ data })));
      },
      drain: (options) => drain(database, options),
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

async function drain(database: BenchDatabase, options: DrainOptions): Promise<void> {
  await using boss = await start(database, { max: options.workers });
  const callers = Array.from({ length: options.workers }, () => newCaller(boss, options.batch));
  await drainByCalls(callers, options);
}

function newCaller(boss: PgBoss, batchSize: number): Caller {
  let held: string[] = [];
  const finish = async () => {
    if (held.length > 0) await boss.complete(QUEUE, held);
    held = [];
  };
  return {
    async next() {
      await finish();
      const jobs = await boss.fetch<Payload>(QUEUE, { batchSize, priority: false });
      held = jobs.map((job) => job.id);
      return jobs.map((job) => job.data);
    },
    finish,
  };
}
