import { delay } from "@std/async/delay";
import type {
  HandlerContext,
  TaskHandler,
  ThoughtHandler,
} from "../../functions/_shared/handler.ts";
import { recordExecution } from "../record/executions.ts";
import type { Recorder } from "../record/record.ts";
import { nameOf } from "./workload.ts";

/** As long as a small model takes to answer; without it there would be nothing to watch. */
const SHORTEST_MS = 100;
const LONGEST_MS = 200;

/**
 * Makes handlers record when they begin and end, and take their time, while a record is open.
 * It changes the handlers themselves, so whoever runs them, by whatever way, is recorded.
 */
export function recordHandlers(handlers: (TaskHandler | ThoughtHandler)[], recorder: Recorder) {
  for (const handler of handlers) {
    if ("type" in handler) {
      const { type, run } = handler;
      handler.run = (payload, context) =>
        recorded(nameOf.task({ type, payload }), context, recorder, () => run(payload, context));
    } else {
      const { run } = handler;
      handler.run = (thought, context) =>
        recorded(nameOf.thought(thought), context, recorder, () => run(thought, context));
    }
  }
}

async function recorded<T>(
  item: string,
  { attempt, signal }: HandlerContext,
  recorder: Recorder,
  run: () => Promise<T>,
): Promise<T> {
  return await recordExecution({ item, attempt }, recorder, async (isRecorded) => {
    const ms = SHORTEST_MS + Math.random() * (LONGEST_MS - SHORTEST_MS);
    if (isRecorded) await delay(ms, { signal });
    return await run();
  });
}
