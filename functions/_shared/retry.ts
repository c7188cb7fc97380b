import { type Clock, systemClock } from "./clock.ts";

export interface RetryOptions {
  isRetryable(error: unknown): boolean;
  /** How often in all; without it, until the signal is aborted. */
  attempts?: number;
  signal?: AbortSignal;
  clock?: Clock;
  onRetry?(error: unknown): void;
}

/** Calls again what failed for a passing reason, at growing random distances. */
export async function retry<T>(call: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { isRetryable, attempts = Infinity, signal, clock = systemClock, onRetry } = options;
  for (let attempt = 1;; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (attempt >= attempts || signal?.aborted || !isRetryable(error)) throw error;
      onRetry?.(error);
      await clock.sleep(backoff(attempt, { base: 100, cap: 5_000 }, clock), signal);
      if (signal?.aborted) throw error;
    }
  }
}

/** Half of it fixed, half of it chance, so that those who failed together do not return together. */
export function backoff(
  nth: number,
  { base, cap }: { base: number; cap: number },
  clock: Clock,
): number {
  const longest = Math.min(cap, base * 2 ** Math.min(nth - 1, 30));
  return longest / 2 + clock.random() * longest / 2;
}
