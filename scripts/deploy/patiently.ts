import { delay } from "@std/async/delay";
import type { Deployment } from "./deployment.ts";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/** Asks until the answer is good or the patience is over, less and less often; returns the last answer. */
export async function patiently<T>(
  { waitMs, signal }: Pick<Deployment, "waitMs" | "signal">,
  ask: () => Promise<T>,
  isGood: (answer: T) => boolean,
): Promise<T> {
  const end = performance.now() + waitMs;
  for (let pause = FIRST_PAUSE_MS;; pause = Math.min(1.5 * pause, LONGEST_PAUSE_MS)) {
    const answer = await ask();
    if (isGood(answer) || performance.now() + pause > end) return answer;
    await delay(pause, { signal }).catch(() => {});
    signal.throwIfAborted();
  }
}
