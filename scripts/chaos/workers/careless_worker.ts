// A worker that knows nothing of time: a foreign client of the endpoints, written in an hour. It never
// asks whether its lease still lives, and reports whatever it has done however late. Now and then it
// dawdles past the end of its lease, and then takes no refusal for an answer.
import { delay } from "@std/async/delay";
import { retry } from "@std/async/retry";
import type { GrantedTask, GrantedThought } from "../../../functions/_shared/schemas.ts";
import { failureOf } from "../../../functions/_shared/worker/failure.ts";
import type { Grant, Item, Outcome, Source, Work } from "../../../functions/_shared/worker/work.ts";
import { recordGrants } from "../../record/grants.ts";
import { runUntilParentEnds, setting } from "../../stack/child.ts";
import { endpointSource } from "./endpoints.ts";
import { act, recordExecutions } from "./handlers.ts";
import { type Behaviour, nameOf, TASK_TYPES, WORK_TYPE } from "../workload.ts";

const BATCH = 16;
const DAWDLES_PERCENT = 15;
/** So long after the end of its lease it begins to report, and goes on. */
const DAWDLES_MS = 100;
const REPORTS_MS = 2_000;
const REPORT_EVERY_MS = 100;
const EMPTY_PAUSE_MS = 300;
const CALL_MS = 4_000;
/** A call is repeated for about half a minute. */
const REPEATS = { maxAttempts: 20, minTimeout: 200, maxTimeout: 2_000, jitter: 0.5 };

const workerId = setting("DIBS_WORKER_ID");
const leaseSeconds = Number(setting("DIBS_LEASE_SECONDS"));
const recorder = { file: setting("DIBS_RECORD"), by: workerId };
const account = { url: setting("SUPABASE_URL"), secretKey: setting("SUPABASE_SECRET_KEY") };
const who = { worker_id: workerId, lease_seconds: leaseSeconds };
const stop = new AbortController();

const tasks = careless<GrantedTask>(
  endpointSource({ ...account, claim: { ...who, types: TASK_TYPES } }),
  ({ payload }) => (payload as { behaviour: Behaviour }).behaviour,
);
const thoughts = careless<GrantedThought>(
  endpointSource({ ...account, claim: { ...who, work_type: WORK_TYPE } }),
  ({ content }) => content as Behaviour,
);
const working = Promise.all([
  workOn(
    recordGrants(recordExecutions(tasks, nameOf.task, recorder), "tasks", nameOf.task, recorder),
  ),
  workOn(
    recordGrants(
      recordExecutions(thoughts, nameOf.thought, recorder),
      "thoughts",
      nameOf.thought,
      recorder,
    ),
  ),
]);
Deno.addSignalListener("SIGTERM", () => void finish().then(() => Deno.exit(0)));
runUntilParentEnds(finish);

function careless<I extends Item>(
  source: Pick<Source<I>, "claim" | "settle" | "renew">,
  behaviourOf: (item: I) => Behaviour,
): Work<I> {
  return {
    source: { ...source, settleAndClaim: () => Promise.reject(new Error("it never does")) },
    run: ({ attempt, ...item }, { signal }) =>
      act(behaviourOf({ attempt, ...item } as I), { attempt, signal }),
    timeoutMs: () => Infinity,
  };
}

async function workOn<I extends Item>(work: Work<I>): Promise<void> {
  const { source } = work;
  while (!stop.signal.aborted) {
    const requestId = crypto.randomUUID();
    const endsAt = Date.now() + leaseSeconds * 1000;
    const grant = await insist((signal) => source.claim(BATCH, { requestId, signal }));
    if (grant) await workOff(work, grant, endsAt);
    else await delay(EMPTY_PAUSE_MS, { signal: stop.signal }).catch(() => {});
  }
}

async function workOff<I extends Item>(
  work: Work<I>,
  { fence, items }: Grant<I>,
  endsAt: number,
): Promise<void> {
  const { source } = work;
  const dawdles = Math.random() * 100 < DAWDLES_PERCENT;
  const heartbeat = setInterval(() => {
    if (!dawdles) source.renew(fence, {}, AbortSignal.timeout(CALL_MS)).catch(() => {});
  }, leaseSeconds * 1000 / 3);
  const outcomes = await Promise.all(items.map((item) => execute(work, fence, item)));
  if (dawdles) await delay(Math.max(0, endsAt + DAWDLES_MS - Date.now()));
  clearInterval(heartbeat);
  const report = (outcomes: Outcome[]) => {
    const requestId = crypto.randomUUID();
    return insist((signal) =>
      source.settle(fence, { outcomes, rest: null }, { requestId, signal })
    );
  };
  if (!dawdles) return void await report(outcomes);
  // One by one and again and again, so as to meet its successor at work.
  while (outcomes.length > 0 && Date.now() < endsAt + DAWDLES_MS + REPORTS_MS) {
    const outcome = outcomes.shift()!;
    const answer = await report([outcome]);
    if (!answer?.settled) outcomes.push(outcome);
    await delay(REPORT_EVERY_MS);
  }
}

async function execute<I extends Item>(work: Work<I>, fence: string, item: I): Promise<Outcome> {
  const { id } = item;
  const context = {
    fence,
    signal: new AbortController().signal,
    progress: () => {},
    commit: <T>(call: () => Promise<T>) => call(),
  };
  return await work.run(item, context).then(
    () => ({ id, status: "succeeded" }),
    (thrown) => failureOf(id, thrown),
  );
}

/** Repeats a call under the same request id; whoever loses patience loses the lease, nothing else. */
async function insist<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
  return await retry(() => call(AbortSignal.timeout(CALL_MS)), REPEATS).catch((error) => {
    console.error(error.message);
    return null;
  });
}

async function finish(): Promise<void> {
  stop.abort();
  await working;
}
