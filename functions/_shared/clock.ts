/** Time as the worker sees it. Monotonic: the wall clock of a worker may be an hour off, or jump. */
export interface Clock {
  /** Milliseconds since some moment; only differences mean anything. */
  now(): number;
  /** Resolves after that long, or as soon as the signal is aborted. It never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** From 0 to 1, for jitter. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep,
  random: () => Math.random(),
};

/** Timers hold 31 bits of milliseconds; a longer one would fire at once. */
const LONGEST = 2 ** 31 - 1;

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = setTimeout(wake, Math.min(ms, LONGEST));
    signal?.addEventListener("abort", wake, { once: true });
    function wake() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    }
  });
}
