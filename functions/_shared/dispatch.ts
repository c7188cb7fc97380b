import type { z } from "zod";
import { env } from "./env.ts";
import { ApiError } from "./errors.ts";
import type { Log } from "./log.ts";
import type { PlannedDrain } from "./schemas.ts";

type Drain = z.output<typeof PlannedDrain>;

const AT_ONCE = 8;
/** A drain answers 202 at once; whoever called dispatch waits only about five seconds itself. */
const TIMEOUT_MS = 4_000;

/** Starts the planned drains, each a function call of its own, and returns how many took it. */
export async function startDrains(drains: Drain[], log: Log): Promise<number> {
  const rest = [...drains];
  let started = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let drain = rest.pop(); drain; drain = rest.pop()) {
      if (await startDrain(drain, log)) started++;
    }
  }));
  return started;
}

async function startDrain(drain: Drain, log: Log): Promise<boolean> {
  try {
    const response = await fetch(new URL("/functions/v1/drain", env.supabaseUrl()), {
      method: "POST",
      headers: { "content-type": "application/json", apikey: env.secretKey() },
      body: JSON.stringify(requestOf(drain)),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    if (response.status !== 202) log.error("drain_refused", { status: response.status });
    return response.status === 202;
  } catch (error) {
    if (isRateLimit(error)) {
      throw new ApiError("rate_limited", "The platform limits how many functions call functions.", {
        retryAfterSeconds: (error.retryAfterMs ?? 60_000) / 1000,
      });
    }
    log.error("drain_unreachable", { error: error instanceof Error ? error.name : "unknown" });
    return false;
  }
}

/** Null means all types to a plan; a request leaves them out for that. */
function requestOf(drain: Drain) {
  return "types" in drain ? { ...drain, types: drain.types ?? undefined } : drain;
}

/** The platform's own class; plain Deno does not know it, so it is told by its name. */
function isRateLimit(error: unknown): error is Error & { retryAfterMs?: number } {
  return error instanceof Error && error.name === "RateLimitError";
}
