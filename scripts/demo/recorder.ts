import type {
  HandlerContext,
  TaskHandler,
  ThoughtHandler,
} from "../../functions/_shared/handler.ts";
import type { Item, Outcome, Source, Work } from "../../functions/_shared/worker/work.ts";
import { type Surface, write } from "./record.ts";
import { nameOf } from "./workload.ts";

/** Who records, and where. */
export interface Recorder {
  file: string;
  by: string;
}

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
  { file, by }: Recorder,
  run: () => Promise<T>,
): Promise<T> {
  const execution = crypto.randomUUID();
  if (!write(file, { kind: "began", execution, item, by, attempt })) return run();
  let succeeded = false;
  try {
    await pause(SHORTEST_MS + Math.random() * (LONGEST_MS - SHORTEST_MS), signal);
    const result = await run();
    succeeded = true;
    return result;
  } finally {
    write(file, { kind: "ended", execution, succeeded });
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

/** Makes a worker record what it is granted, and what it is about to settle. */
export function recordGrants<I extends Item>(
  work: Work<I>,
  surface: Surface,
  itemName: (item: I) => string,
  { file, by }: Recorder,
): Work<I> {
  const names = new Map<string, Map<string, string>>();
  const source: Source<I> = {
    ...work.source,
    async claim(limit, call) {
      return granted(await work.source.claim(limit, call));
    },
    settle(fence, report, call) {
      settling(fence, report.outcomes, report.rest !== null);
      return work.source.settle(fence, report, call);
    },
    async settleAndClaim(fence, report, limit, call) {
      settling(fence, report.outcomes, report.rest !== null);
      const answer = await work.source.settleAndClaim(fence, report, limit, call);
      granted(answer.grant);
      return answer;
    },
  };
  return { ...work, source };

  function granted(grant: Awaited<ReturnType<Source<I>["claim"]>>) {
    if (!grant || names.has(grant.fence)) return grant;
    const { fence, items } = grant;
    names.set(fence, new Map(items.map((item) => [item.id, itemName(item)])));
    write(file, { kind: "granted", surface, by, fence, items: items.map(itemName) });
    return grant;
  }

  /** Written before the call: from then on it may be settled, whatever becomes of the reply. */
  function settling(fence: string, outcomes: Outcome[], whole: boolean): void {
    const held = names.get(fence)!;
    const ids = whole ? [...held.keys()] : outcomes.map(({ id }) => id);
    const items = ids.flatMap((id) => held.get(id) ?? []);
    for (const id of ids) held.delete(id);
    write(file, { kind: "settling", surface, by, fence, items });
  }
}
