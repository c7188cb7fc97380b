import type { Log } from "../_shared/log.ts";
import { DrainRequest, type Summary } from "../_shared/schemas.ts";
import { endpoint } from "../_shared/serve.ts";
import { startRun } from "./run.ts";

export default endpoint({ name: "drain", request: DrainRequest }, async ({ body, rpc, log }) => {
  const run_id = crypto.randomUUID();
  const runLog = log.with({ run_id });
  const run = startRun(body, { rpc, log: runLog });
  if (body.wait) {
    const summary = await run;
    return { body: { run_id, ...summary }, facts: { run_id, ...summary } };
  }
  inBackground(run, runLog);
  return { status: 202, body: { run_id }, facts: { run_id } };
});

/** The hosted runtime keeps an isolate for what it is told to wait for; plain Deno needs no telling. */
function inBackground(run: Promise<Summary>, log: Log): void {
  const logged = run.then(
    (summary) => log.info("drained", { ...summary }),
    (error) => log.error("drain_failed", { code: error?.code ?? null }),
  );
  (globalThis as { EdgeRuntime?: { waitUntil(promise: Promise<unknown>): void } }).EdgeRuntime
    ?.waitUntil(logged);
}
