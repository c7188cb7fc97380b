import type { Log } from "../../../functions/_shared/log.ts";
import { remoteRpc } from "../../../functions/_shared/rpc.ts";
import { runWorker } from "../../../functions/_shared/worker.ts";
import { taskWork } from "../../../functions/_shared/worker/tasks.ts";
import type { Contender, DrainOptions, Payload } from "../contender.ts";
import { type BenchProject, startProject } from "../project.ts";
import { dibs } from "./dibs.ts";
import { openOverHttp } from "./dibs_api.ts";

/** The worker that the endpoint drain runs: handlers, heartbeats, the next batch claimed meanwhile. */
export const dibsDrain: Contender = {
  ...dibs,
  name: "dibs_drain",
  async open(database) {
    return openOverHttp(database, await startProject(database), drain);
  },
};

const TYPE = "bench";
const TIMEOUT_SECONDS = 60;
/** Both as the endpoint has them when nobody says otherwise. */
const LEASE_SECONDS = 120;
const CONCURRENCY = 8;
const silent: Log = { info() {}, error() {}, with: () => silent };

async function drain({ url, secretKey }: BenchProject, options: DrainOptions): Promise<void> {
  const { workers, batch, execute, signal, untilAborted, types = [TYPE] } = options;
  const rpc = remoteRpc(url, secretKey);
  const run = async (payload: unknown) => await execute(payload as Payload);
  const handlers = new Map(
    types.map((type) => [type, { type, timeoutSeconds: TIMEOUT_SECONDS, run }]),
  );
  await Promise.all(Array.from({ length: workers }, (_, i) => {
    const workerId = `worker-${i + 1}`;
    const work = taskWork({ rpc, log: silent, workerId, leaseSeconds: LEASE_SECONDS, handlers });
    return runWorker(work, {
      batch,
      concurrency: CONCURRENCY,
      leaseSeconds: LEASE_SECONDS,
      log: silent,
      untilEmpty: !untilAborted,
      signal,
    });
  }));
}
