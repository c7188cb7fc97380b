import { delay } from "@std/async/delay";
import type {
  HandlerContext,
  TaskHandler,
  ThoughtHandler,
} from "../../../functions/_shared/handler.ts";
import type { EffectContext } from "../../../functions/_shared/once.ts";
import { PermanentError } from "../../../functions/_shared/worker/failure.ts";
import type { Item, RunContext, Work } from "../../../functions/_shared/worker/work.ts";
import { recordExecution } from "../../record/executions.ts";
import type { Recorder } from "../../record/record.ts";
import {
  type Behaviour,
  MAIL_TYPE,
  type Mailing,
  nameOf,
  type NewTask,
  POSTING_TYPE,
  TASK_TYPES,
  WORK_TYPE,
} from "../workload.ts";

const SHORTEST_MS = 10;
const LONGEST_MS = 100;
/** Long enough to need a heartbeat. */
const LONG_MS = 2_500;
const MAIL_MS = 3_000;
const TIMEOUT_SECONDS = 30;

/** Does what the item says becomes of it. */
export async function act(
  behaviour: Behaviour,
  { attempt, signal }: { attempt: number; signal: AbortSignal },
): Promise<void> {
  const ms = SHORTEST_MS + Math.random() * (LONGEST_MS - SHORTEST_MS);
  await delay(behaviour === "takes_long" ? ms + LONG_MS : ms, { signal });
  if (behaviour === "fails_permanently") throw new PermanentError("no retry will mend it");
  if (behaviour === "always_fails" || behaviour === "fails_once" && attempt === 1) {
    throw new Error("failed on purpose");
  }
}

/** Handlers of every type, sending emails to this address. */
export function taskHandlers(mailUrl: string): Map<string, TaskHandler> {
  const handlers = [
    ...TASK_TYPES.map((type) => taskHandler(type)),
    { ...taskHandler(MAIL_TYPE), run: mailTo(mailUrl) },
    { ...taskHandler(POSTING_TYPE), run: post },
  ];
  return new Map(handlers.map((handler) => [handler.type, handler]));
}

export function taskHandler(type: string): TaskHandler {
  return {
    type,
    timeoutSeconds: TIMEOUT_SECONDS,
    run: (payload, context) => act((payload as NewTask["payload"]).behaviour, context),
  };
}

export const thoughtHandler: ThoughtHandler = {
  workType: WORK_TYPE,
  timeoutSeconds: TIMEOUT_SECONDS,
  run: (thought, context) => act(thought.content as Behaviour, context),
};

async function post(payload: unknown, context: HandlerContext): Promise<void> {
  await act("works", context);
  await context.commit("chaos_post", { p_item: nameOf.task({ payload }) });
}

function mailTo(url: string): TaskHandler["run"] {
  return async (payload, context) => {
    const { name, behaviour } = payload as { name: string; behaviour: Mailing };
    const repeats = behaviour === "mails_with_key";
    await act("works", context);
    await context.once(
      "mail",
      ({ idempotencyKey, fetch }) =>
        send(url, name, repeats ? idempotencyKey : null, { ...context, fetch }),
      { mode: repeats ? "provider_key" : "at_most_once" },
    );
    // Between the effect and the report of it, a worker may fall as well.
    await act("works", context);
  };
}

async function send(
  url: string,
  to: string,
  key: string | null,
  { fetch, signal }: { fetch: EffectContext["fetch"]; signal: AbortSignal },
) {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(key && { "idempotency-key": key }),
    },
    body: JSON.stringify({ from: "chaos", to, subject: "One only", text: to }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(MAIL_MS)]),
  });
  if (!response.ok) throw new Error(`the mail provider answered ${response.status}`);
  return await response.json();
}

/** Makes work record, under which fence, when each of its executions begins and ends. */
export function recordExecutions<I extends Item>(
  work: Work<I>,
  itemName: (item: I) => string,
  recorder: Recorder,
): Work<I> {
  return {
    ...work,
    run: (item, context: RunContext) =>
      recordExecution(
        { item: itemName(item), attempt: item.attempt, fence: context.fence },
        recorder,
        () => work.run(item, context),
      ),
  };
}
