import { remoteRpc, type Rpc } from "../../../functions/_shared/rpc.ts";
import { type Caller, drainByCalls } from "../calls.ts";
import type { BenchDatabase } from "../cluster.ts";
import type { Contender, DrainOptions, Payload, Queue } from "../contender.ts";
import { type BenchProject, startProject } from "../project.ts";
import { dibs } from "./dibs.ts";

/** Dibs over the data API: supabase-js settles a whole lease and claims the next in one call. */
export const dibsApi: Contender = {
  ...dibs,
  name: "dibs_api",
  async open(database) {
    return openOverHttp(database, await startProject(database), ({ url, secretKey }, options) => {
      const rpc = remoteRpc(url, secretKey);
      const callers = Array.from(
        { length: options.workers },
        (_, i) => newCaller(rpc, `worker-${i + 1}`, options),
      );
      return drainByCalls(callers, options);
    });
  },
};

/** The queue of Dibs, filled over SQL and drained over HTTP. */
export async function openOverHttp(
  database: BenchDatabase,
  project: BenchProject,
  drain: (project: BenchProject, options: DrainOptions) => Promise<void>,
): Promise<Queue> {
  const queue = await dibs.open(database);
  return {
    enqueue: queue.enqueue,
    drain: (options) => drain(project, options),
    left: queue.left,
    async [Symbol.asyncDispose]() {
      await queue[Symbol.asyncDispose]();
      await project[Symbol.asyncDispose]();
    },
  };
}

function newCaller(
  rpc: Rpc,
  workerId: string,
  { batch, types = null }: { batch: number; types?: string[] | null },
): Caller {
  const terms = {
    p_worker_id: workerId,
    p_types: types,
    p_limit: batch,
    p_lease_seconds: 900,
    p_request_id: null,
  };
  let fence: string | null = null;
  let ids: string[] = [];
  const report = (fence: string, failed: number[]) => ({
    p_fence: fence,
    p_outcomes: failed.map((place) => ({ id: ids[place], status: "failed" as const })),
    p_rest: "succeeded",
  });
  return {
    reportsFailures: true,
    async next(failed) {
      const grant = fence === null
        ? await claim()
        : await rpc.call("settle_and_claim_tasks", { ...report(fence, failed), ...terms });
      fence = grant.fence;
      ids = grant.tasks.map(({ id }) => id);
      return grant.tasks.map(({ payload }) => payload as Payload);
    },
    async finish(failed) {
      if (fence !== null) await rpc.call("settle_lease", report(fence, failed));
    },
  };

  async function claim() {
    const tasks = await rpc.call("claim_tasks", terms);
    return { fence: tasks[0]?.fence ?? null, tasks };
  }
}
