// Loaded into the functions' process before the functions, so that the drains which dispatch starts take
// part: of the handlers that the project has, one becomes that of the first task type; and drains lease
// for as long as all other workers, since what they hold when they are killed must come back in time.
import type { TaskHandler } from "../../../functions/_shared/handler.ts";
import * as handlers from "../../../functions/handlers/index.ts";
import { DRAINS } from "../../record/record.ts";
import { setting } from "../../stack/child.ts";
import { nameOf, TASK_TYPES } from "../workload.ts";
import { recordExecution } from "../../record/executions.ts";
import { taskHandler } from "./handlers.ts";

const recorder = { file: setting("DIBS_RECORD"), by: DRAINS };
const replaced = Object.values(handlers).find((handler) => "type" in handler);
const { run, ...replacement } = taskHandler(TASK_TYPES[0]);
Object.assign(
  replaced!,
  replacement,
  {
    run: (payload, context) =>
      recordExecution(
        { item: nameOf.task({ payload }), attempt: context.attempt, fence: context.fence },
        recorder,
        () => run(payload, context),
      ),
  } satisfies Partial<TaskHandler>,
);

const { fetch } = globalThis;
globalThis.fetch = (input, init) => {
  if (!String(input).endsWith("/functions/v1/drain")) return fetch(input, init);
  const lease_seconds = Number(setting("DIBS_LEASE_SECONDS"));
  const body = JSON.stringify({ ...JSON.parse(String(init!.body)), lease_seconds });
  return fetch(input, { ...init, body });
};
