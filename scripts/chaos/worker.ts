// One worker under chaos: the loop of functions/_shared/worker.ts once on tasks and once on thoughts,
// over the data API. It stops in good order on SIGTERM, and when its input ends.
import { surviveStrayErrors } from "../../functions/_shared/guard.ts";
import { jsonLog } from "../../functions/_shared/log.ts";
import { remoteRpc } from "../../functions/_shared/rpc.ts";
import { runWorker } from "../../functions/_shared/worker.ts";
import { taskWork } from "../../functions/_shared/worker/tasks.ts";
import { thoughtWork } from "../../functions/_shared/worker/thoughts.ts";
import type { Item, Work } from "../../functions/_shared/worker/work.ts";
import { recordGrants } from "../record/grants.ts";
import type { Surface } from "../record/record.ts";
import { runUntilParentEnds, setting } from "../stack/child.ts";
import { recordExecutions, taskHandlers, thoughtHandler } from "./handlers.ts";
import { nameOf } from "./workload.ts";

const workerId = setting("DIBS_WORKER_ID");
const leaseSeconds = Number(setting("DIBS_LEASE_SECONDS"));
const rpc = remoteRpc(setting("SUPABASE_URL"), setting("SUPABASE_SECRET_KEY"));
const log = jsonLog({ worker_id: workerId });
const recorder = { file: setting("DIBS_RECORD"), by: workerId };
const terms = { rpc, log, workerId, leaseSeconds };
const stop = new AbortController();
surviveStrayErrors(log);

const working = Promise.all([
  work(taskWork({ ...terms, handlers: taskHandlers }), "tasks", nameOf.task, 8),
  work(thoughtWork({ ...terms, handler: thoughtHandler }), "thoughts", nameOf.thought, 4),
]);
working.catch((error) => {
  console.error(error);
  Deno.exit(1);
});
Deno.addSignalListener("SIGTERM", () => void finish().then(() => Deno.exit(0)));
runUntilParentEnds(finish);

function work<I extends Item>(
  work: Work<I>,
  surface: Surface,
  itemName: (item: I) => string,
  concurrency: number,
) {
  const recorded = recordGrants(
    recordExecutions(work, itemName, recorder),
    surface,
    itemName,
    recorder,
  );
  const options = { batch: 20, concurrency, leaseSeconds, log, signal: stop.signal };
  return runWorker(recorded, options);
}

async function finish(): Promise<void> {
  stop.abort();
  await working;
}
