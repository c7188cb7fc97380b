import { delay } from "@std/async/delay";
import { Logger, makeWorkerUtils, run, type WorkerUtils } from "graphile-worker";
import type { BenchDatabase } from "../cluster.ts";
import type { Contender, DrainOptions, Payload, Task } from "../contender.ts";

const quiet = new Logger(() => () => {});

/** graphile-worker, with the settings its own page on performance was measured with. */
export const graphileWorker: Contender = {
  name: "graphile_worker",
  keeps: "nothing once a task is done",
  batches: true,
  priorities: true,
  delays: true,
  types: true,
  async install(database) {
    const utils = await openUtils(database);
    await utils.migrate();
    await utils.release();
  },
  async open(database) {
    const utils = await openUtils(database);
    return {
      async enqueue(tasks) {
        await utils.addJobs(tasks.map(toJob));
      },
      async drain(options) {
        await drain(database, options, options.types ?? await listTypes(utils));
        // Runners stop without waiting for their last completions to be written.
        while (await countJobs(utils, "locked_at is not null")) await delay(1);
      },
      left: () => countJobs(utils, "true"),
      [Symbol.asyncDispose]: async () => await utils.release(),
    };
  },
};

function toJob({ payload, type = "bench", priority, delaySeconds }: Task) {
  const runAt = delaySeconds ? new Date(Date.now() + delaySeconds * 1000) : undefined;
  return { identifier: type, payload, priority, runAt };
}

async function openUtils({ url }: BenchDatabase): Promise<WorkerUtils> {
  return await makeWorkerUtils({ connectionString: url, logger: quiet });
}

async function countJobs(utils: WorkerUtils, which: string): Promise<number> {
  const { rows } = await utils.withPgClient((client) =>
    client.query<{ jobs: number }>(
      `select count(*)::int as jobs from graphile_worker.jobs where ${which}`,
    )
  );
  return rows[0].jobs;
}

async function listTypes(utils: WorkerUtils): Promise<string[]> {
  const { rows } = await utils.withPgClient((client) =>
    client.query<{ identifier: string }>("select identifier from graphile_worker._private_tasks")
  );
  return rows.map(({ identifier }) => identifier);
}

/** A worker with a batch is an instance of its own that fetches and completes in batches. */
async function drain({ url }: BenchDatabase, options: DrainOptions, types: string[]) {
  const { workers, batch, execute, signal } = options;
  const inBatches = {
    concurrentJobs: Math.min(24, batch),
    localQueue: { size: batch },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  };
  const instances = batch === 1
    ? [{ concurrentJobs: workers }]
    : Array.from({ length: workers }, () => inBatches);
  const runners = await Promise.all(instances.map((worker) =>
    run({
      preset: {
        worker: { ...worker, connectionString: url, maxPoolSize: worker.concurrentJobs + 1 },
      },
      logger: quiet,
      noHandleSignals: true,
      taskList: Object.fromEntries(
        types.map((type) => [type, (payload) => execute(payload as Payload)]),
      ),
    })
  ));
  if (!signal.aborted) await new Promise((done) => signal.addEventListener("abort", done));
  await Promise.all(runners.map((runner) => runner.stop()));
}
