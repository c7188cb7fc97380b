import assert from "node:assert/strict";
import type { Log } from "../../functions/_shared/log.ts";
import { runWorker, type WorkerOptions } from "../../functions/_shared/worker.ts";
import type { Finding, RunContext } from "../../functions/_shared/worker/work.ts";
import { FakeClock } from "./fake_clock.ts";
import { type FakeItem, FakeSource } from "./fake_source.ts";

const LEASE_SECONDS = 90;
const silent: Log = { info() {}, error() {}, with: () => silent };

export type Run = (item: FakeItem, context: RunContext) => Promise<Finding>;

interface Setting extends Partial<WorkerOptions> {
  items: number;
  run?: Run;
  timeoutMs?: number;
}

/** A worker ready to begin, on a pool in memory and a clock that stands still. */
export function readyWorker({ items, run = done, timeoutMs = 1e6, ...options }: Setting) {
  const clock = new FakeClock();
  const source = new FakeSource(items, LEASE_SECONDS * 1000);
  const begin = () =>
    runWorker({ source, run, timeoutMs: () => timeoutMs }, {
      concurrency: 2,
      batch: 10,
      leaseSeconds: LEASE_SECONDS,
      log: silent,
      untilEmpty: true,
      clock,
      ...options,
    });
  return { clock, source, begin };
}

export function done(): Promise<Finding> {
  return Promise.resolve();
}

/** Handlers that end when the test says so. */
export function held() {
  const running = new Map<string, { context: RunContext; end: (thrown?: unknown) => void }>();
  let most = 0;
  const run: Run = (item, context) =>
    new Promise((resolve, reject) => {
      running.set(item.name, {
        context,
        end(thrown) {
          running.delete(item.name);
          if (thrown) reject(thrown);
          else resolve();
        },
      });
      most = Math.max(most, running.size);
    });
  return { run, running, most: () => most, names: () => [...running.keys()] };
}

/** Ends every handler as it comes, until the worker is done. */
export async function finishAll(
  worker: Promise<unknown>,
  running: Map<string, { end: () => void }>,
  clock: FakeClock,
  stepMs = 100,
): Promise<void> {
  let over = false;
  worker.finally(() => over = true).catch(() => {});
  for (let step = 0; !over; step++) {
    assert.ok(step < 1_000, "the worker does not come to an end");
    for (const { end } of [...running.values()]) end();
    await clock.advance(stepMs);
  }
}
