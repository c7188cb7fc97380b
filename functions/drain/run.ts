import { systemClock } from "../_shared/clock.ts";
import { env } from "../_shared/env.ts";
import { ApiError } from "../_shared/errors.ts";
import { surviveStrayErrors } from "../_shared/guard.ts";
import { registryOf } from "../_shared/handler.ts";
import type { Log } from "../_shared/log.ts";
import type { Rpc } from "../_shared/rpc.ts";
import type { DrainRequest, Summary } from "../_shared/schemas.ts";
import { runWorker, Stop } from "../_shared/worker.ts";
import { chooseWork } from "../_shared/worker/choose.ts";
import { newWorkerId } from "../_shared/worker_id.ts";
import * as handlers from "../handlers/index.ts";

/** Of the platform's wall clock: stop taking work, and cut off what still runs. */
const TAKE_SHARE = 0.6;
const GRACE_SHARE = 0.25;
/** An isolate has 256 MB for all the runs in it. */
const MOST_RUNS = 16;
/** From the platform's notice until it kills there are seconds. */
const NOTICE_GRACE_MS = 1_000;

const runs = new Set<AbortController>();
addEventListener("beforeunload", (event) => stopRuns((event as CustomEvent).detail?.reason));

/** Starts one run of the worker; an ApiError when it cannot. */
export function startRun(
  request: DrainRequest,
  { rpc, log }: { rpc: Rpc; log: Log },
): Promise<Summary> {
  if (runs.size >= MOST_RUNS) {
    throw new ApiError("rate_limited", `${MOST_RUNS} drains run here already.`, {
      retryAfterSeconds: 10,
    });
  }
  surviveStrayErrors(log);
  const { batch, concurrency, lease_seconds: leaseSeconds, budget_seconds = Infinity } = request;
  // Plans count the drains at work by this beginning.
  const workerId = `drain-${newWorkerId()}`;
  const work = chooseWork(request, registryOf(handlers), { rpc, log, workerId, leaseSeconds });
  const wallClockMs = env.wallClockSeconds() * 1000;
  const stop = new AbortController();
  runs.add(stop);
  return runWorker(work, {
    batch,
    concurrency,
    leaseSeconds,
    log,
    untilEmpty: true,
    lingerMs: request.linger_seconds * 1000,
    signal: stop.signal,
    deadline: systemClock.now() + Math.min(budget_seconds * 1000, wallClockMs * TAKE_SHARE),
    graceMs: wallClockMs * GRACE_SHARE,
  }).finally(() => runs.delete(stop));
}

/** The platform is about to kill the isolate. What used up a share of it may not come round for ever. */
function stopRuns(reason = "termination"): void {
  const cut = ["cpu", "memory", "wall_clock"].includes(reason) ? "out_of_budget" : "stopped";
  for (const run of runs) run.abort(new Stop(reason, cut, NOTICE_GRACE_MS));
}
