// One worker of the demonstration: the loop of functions/_shared/worker.ts once on tasks and once on
// thoughts, over HTTP, in a process of its own that can be killed. It ends when its input does.
import { registryOf } from "../../functions/_shared/handler.ts";
import { jsonLog } from "../../functions/_shared/log.ts";
import { remoteRpc } from "../../functions/_shared/rpc.ts";
import { runWorker } from "../../functions/_shared/worker.ts";
import { taskWork } from "../../functions/_shared/worker/tasks.ts";
import { thoughtWork } from "../../functions/_shared/worker/thoughts.ts";
import * as handlers from "../../functions/handlers/index.ts";
import { recordGrants } from "../record/grants.ts";
import { runUntilParentEnds, setting } from "../stack/child.ts";
import * as demoHandlers from "./handlers.ts";
import { recordHandlers } from "./record_handlers.ts";
import { nameOf, WORK_TYPE } from "./workload.ts";

const workerId = setting("DIBS_WORKER_ID");
const leaseSeconds = Number(setting("DIBS_LEASE_SECONDS"));
const recorder = { file: setting("DIBS_RECORD"), by: workerId };
const rpc = remoteRpc(setting("SUPABASE_URL"), setting("SUPABASE_SECRET_KEY"));
const log = jsonLog({ worker_id: workerId });

const all = { ...handlers, ...demoHandlers };
recordHandlers(Object.values(all), recorder);
const { tasks, thoughts } = registryOf(all);
const terms = { rpc, log, workerId, leaseSeconds };
const stop = new AbortController();
const options = { batch: 10, leaseSeconds, log, signal: stop.signal };

const onTasks = recordGrants(
  taskWork({ ...terms, handlers: tasks }),
  "tasks",
  nameOf.task,
  recorder,
);
const onThoughts = recordGrants(
  thoughtWork({ ...terms, handler: thoughts.get(WORK_TYPE)! }),
  "thoughts",
  nameOf.thought,
  recorder,
);
const working = Promise.all([
  runWorker(onTasks, { ...options, concurrency: 4 }),
  runWorker(onThoughts, { ...options, concurrency: 2 }),
]);
working.catch((error) => {
  console.error(error);
  Deno.exit(1);
});
runUntilParentEnds(async () => {
  stop.abort();
  await working;
});
