import { PermanentError } from "../../functions/_shared/worker/failure.ts";
import type { TaskHandler, ThoughtHandler } from "../../functions/_shared/handler.ts";
import type { Item, RunContext, Work } from "../../functions/_shared/worker/work.ts";
import { type Recorder, write } from "../record/record.ts";
import { type Behaviour, type NewTask, TASK_TYPES, WORK_TYPE } from "./workload.ts";

const SHORTEST_MS = 20;
const LONGEST_MS = 120;
/** Long enough to need a heartbeat. */
const LONG_MS = 2_500;
const TIMEOUT_SECONDS = 30;

/** Does what the item says becomes of it. */
export async function act(
  behaviour: Behaviour,
  { attempt, signal }: { attempt: number; signal: AbortSignal },
): Promise<void> {
  const ms = SHORTEST_MS + Math.random() * (LONGEST_MS - SHORTEST_MS);
  await pause(behaviour === "takes_long" ? ms + LONG_MS : ms, signal);
  if (behaviour === "fails_permanently") throw new PermanentError("no retry will mend it");
  if (behaviour === "always_fails" || behaviour === "fails_once" && attempt === 1) {
    throw new Error("failed on purpose");
  }
}

export const taskHandlers = new Map<string, TaskHandler>(TASK_TYPES.map((type) => [type, {
  type,
  timeoutSeconds: TIMEOUT_SECONDS,
  run: (payload, context) => act((payload as NewTask["payload"]).behaviour, context),
}]));

export const thoughtHandler: ThoughtHandler = {
  workType: WORK_TYPE,
  timeoutSeconds: TIMEOUT_SECONDS,
  run: (thought, context) => act(thought.content as Behaviour, context),
};

/** Makes work record, under which fence, when each of its executions begins and ends. */
export function recordExecutions<I extends Item>(
  work: Work<I>,
  itemName: (item: I) => string,
  { file, by }: Recorder,
): Work<I> {
  return { ...work, run };

  async function run(item: I, context: RunContext) {
    const execution = crypto.randomUUID();
    const { attempt } = item;
    const began = { execution, item: itemName(item), by, attempt, fence: context.fence };
    write(file, { kind: "began", ...began });
    let succeeded = false;
    try {
      const finding = await work.run(item, context);
      succeeded = true;
      return finding;
    } finally {
      write(file, { kind: "ended", execution, succeeded });
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
