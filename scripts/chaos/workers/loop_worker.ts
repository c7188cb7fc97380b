// One worker under chaos: the loop of functions/_shared/worker.ts once on tasks and once on thoughts,
// over the data API or, where it is given a database, over SQL. It stops in good order on SIGTERM, and
// when its input ends.
import { surviveStrayErrors } from "../../../functions/_shared/guard.ts";
import { jsonLog } from "../../../functions/_shared/log.ts";
import { remoteRpc } from "../../../functions/_shared/rpc.ts";
import { runWorker } from "../../../functions/_shared/worker.ts";
import { taskWork } from "../../../functions/_shared/worker/tasks.ts";
import { thoughtWork } from "../../../functions/_shared/worker/thoughts.ts";
import type { Item, Work } from "../../../functions/_shared/worker/work.ts";
import { recordGrants } from "../../record/grants.ts";
import type { Surface } from "../../record/record.ts";
import { runUntilParentEnds, setting } from "../../stack/child.ts";
import { nameOf } from "../workload.ts";
import { crookClock } from "./crooked_clock.ts";
import { recordExecutions, taskHandlers, thoughtHandler } from "./handlers.ts";
import { sqlRpc } from "./sql_rpc.ts";

const BATCH = 50;

const workerId = setting("DIBS_WORKER_ID");
const leaseSeconds = Number(setting("DIBS_LEASE_SECONDS"));
const databaseUrl = Deno.env.get("DIBS_DATABASE_URL");
const rpc = databaseUrl
  ? sqlRpc(databaseUrl)
  : remoteRpc(setting("SUPABASE_URL"), setting("SUPABASE_SECRET_KEY"));
const log = jsonLog({ worker_id: workerId });
const recorder = { file: setting("DIBS_RECORD"), by: workerId };
const terms = { rpc, log, workerId, leaseSeconds };
const handlers = taskHandlers(setting("DIBS_MAIL_URL"));
const stop = new AbortController();
surviveStrayErrors(log);
crookClock(Number(setting("DIBS_CLOCK_OFF_MS")));

const working = Promise.all([
  work(taskWork({ ...terms, handlers }), "tasks", nameOf.task, 24),
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
  const options = { batch: BATCH, concurrency, leaseSeconds, log, signal: stop.signal };
  return runWorker(recorded, options);
}

async function finish(): Promise<void> {
  stop.abort();
  await working;
}
