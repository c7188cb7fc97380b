// The loop against a pool in memory and a clock that stands still: what it asks for and when.
import assert from "node:assert/strict";
import { ApiError } from "../../functions/_shared/errors.ts";
import type { Log } from "../../functions/_shared/log.ts";
import { runWorker, Stop, type WorkerOptions } from "../../functions/_shared/worker.ts";
import { PermanentError } from "../../functions/_shared/worker/failure.ts";
import type { Finding, RunContext } from "../../functions/_shared/worker/work.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { type FakeItem, FakeSource } from "../support/fake_source.ts";

const LEASE_SECONDS = 90;
const silent: Log = { info() {}, error() {}, with: () => silent };
const busy = () => new ApiError("unavailable");

type Run = (item: FakeItem, context: RunContext) => Promise<Finding>;
interface Setting extends Partial<WorkerOptions> {
  items: number;
  run?: Run;
  timeoutMs?: number;
}

function start({ items, run = done, timeoutMs = 1e6, ...options }: Setting) {
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

function done(): Promise<Finding> {
  return Promise.resolve();
}

/** Handlers that end when the test says so. */
function held() {
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

Deno.test("what it claims is what it accounts for, and then it returns", async () => {
  const { begin, source } = start({ items: 37 });
  const summary = await begin();
  assert.equal(summary.claimed, 37);
  assert.equal(summary.completed, 37);
  assert.equal(summary.truncated, false);
  assert.equal(source.accepted.length, 37);
});

Deno.test("a whole lease is settled by naming only what is not plainly succeeded", async () => {
  const run: Run = ({ name }) => {
    if (name === "1") return Promise.reject(new Error("no luck"));
    return Promise.resolve(name === "0" ? { result: { answer: 42 } } : undefined);
  };
  const { begin, source } = start({ items: 4, run, concurrency: 4 });
  const summary = await begin();
  const report = source.calls.find(({ report }) => report)!.report!;
  assert.deepEqual(report.outcomes, [
    { id: "id-0", status: "succeeded", result: { answer: 42 } },
    { id: "id-1", status: "failed", error: "Error: no luck", permanent: undefined },
  ]);
  assert.equal(report.rest, "succeeded");
  assert.deepEqual([summary.completed, summary.failed], [3, 1]);
});

Deno.test("settling a finished lease and claiming the next is one call, batch after batch", async () => {
  const { begin, source } = start({ items: 200 });
  await begin();
  assert.ok(source.verbs().filter((verb) => verb === "claim").length <= 2);
  assert.ok(source.verbs().filter((verb) => verb === "settleAndClaim").length >= 20);
});

Deno.test("the next batch is claimed before the current one ran dry", async () => {
  const { run, running, names } = held();
  const { begin, source, clock } = start({ items: 40, run, concurrency: 2, batch: 4 });
  const worker = begin();
  await settle();
  assert.deepEqual(names(), ["0", "1"], "before anything is measured it claims what it can start");
  await clock.advance(100);
  running.get("0")!.end();
  await settle();
  assert.deepEqual(source.calls.map(({ verb, limit }) => [verb, limit]), [["claim", 2], [
    "claim",
    4,
  ]]);
  assert.deepEqual(names(), ["1", "2"]);
  assert.equal(source.waiting[0], "6", "three more wait here for a free place");
  for (const name of ["1", "2"]) {
    running.get(name)!.end();
    await settle();
  }
  assert.deepEqual(names(), ["3", "4"], "both places are taken, one more waits");
  assert.deepEqual(source.verbs(), ["claim", "claim", "settleAndClaim"]);
  await finishAll(worker, running, clock);
});

Deno.test("never more handlers run at once than its concurrency", async () => {
  const { run, running, most } = held();
  const { begin, clock } = start({ items: 30, run, concurrency: 3 });
  await finishAll(begin(), running, clock);
  assert.equal(most(), 3);
});

Deno.test("outcomes of slow neighbours do not wait for the whole lease", async () => {
  const { run, running } = held();
  const { begin, source, clock } = start({ items: 2, run });
  const worker = begin();
  await settle();
  running.get("0")!.end();
  await clock.advance(2_000);
  assert.deepEqual(source.accepted.map(({ name }) => name), ["0"]);
  const report = source.calls.find(({ verb }) => verb === "settle")!.report!;
  assert.equal(report.rest, null);
  await finishAll(worker, running, clock);
});

Deno.test("it claims no more than it can start within half a lease", async () => {
  const { run, running } = held();
  const { begin, source, clock } = start({ items: 100, run, concurrency: 2, batch: 50 });
  const worker = begin();
  await settle();
  await clock.advance(20_000);
  running.get("0")!.end();
  await settle();
  // 20 s each, two at a time, half of 90 s: four of them.
  assert.equal(source.calls.filter(({ verb }) => verb === "claim").at(-1)!.limit, 4);
  await finishAll(worker, running, clock, 20_000);
});

Deno.test("every lease is renewed after a third of its time, as often as it takes", async () => {
  const { run, running } = held();
  const { begin, source, clock } = start({ items: 2, run });
  const worker = begin();
  await clock.advance(29_999);
  assert.ok(!source.verbs().includes("renew"));
  await clock.advance(1);
  assert.equal(source.verbs().filter((verb) => verb === "renew").length, 1);
  await clock.advance(600_000);
  assert.equal(source.verbs().filter((verb) => verb === "renew").length, 21);
  assert.equal(running.get("0")!.context.signal.aborted, false);
  await finishAll(worker, running, clock);
});

Deno.test("without a renewal for two thirds of the lease its handlers are aborted and nothing is settled", async () => {
  const { run, running } = held();
  const { begin, source, clock } = start({ items: 2, run });
  source.before = (verb) => {
    if (verb === "renew") throw busy();
  };
  const worker = begin();
  await clock.advance(59_999);
  const { context } = running.get("0")!;
  assert.equal(context.signal.aborted, false);
  await clock.advance(1);
  assert.equal(context.signal.aborted, true);
  assert.equal(context.signal.reason.message, "lease_lost");
  await finishAll(worker, running, clock);
  assert.equal((await worker).lost, 2);
  assert.deepEqual(source.accepted, []);
});

Deno.test("one failed heartbeat is repeated long before the lease is lost", async () => {
  const { run, running } = held();
  const { begin, source, clock } = start({ items: 1, run });
  let failures = 0;
  source.before = (verb) => {
    if (verb === "renew" && failures++ < 2) throw busy();
  };
  const worker = begin();
  await clock.advance(600_000);
  assert.equal(running.get("0")!.context.signal.aborted, false);
  await finishAll(worker, running, clock);
});

Deno.test("only the items a lease no longer holds are aborted", async () => {
  const { run, running } = held();
  const { begin, source, clock } = start({ items: 2, run });
  const worker = begin();
  await settle();
  const [first, second] = [running.get("0")!, running.get("1")!];
  source.take("0");
  await clock.advance(30_000);
  assert.equal(first.context.signal.reason.message, "lease_lost");
  assert.equal(second.context.signal.aborted, false);
  first.end();
  second.end();
  await clock.advance(5_000);
  const summary = await worker;
  assert.deepEqual([summary.completed, summary.lost], [1, 1]);
  const reports = source.calls.flatMap(({ report }) => report ?? []);
  assert.ok(
    reports.every(({ rest }) => rest === null),
    "a lease with a lost item is not settled as a whole",
  );
});

Deno.test("an outcome that is refused as lost is counted and not sent again", async () => {
  const { run, running } = held();
  const { begin, source, clock } = start({ items: 2, run });
  const worker = begin();
  await settle();
  source.take("0");
  running.get("0")!.end(new Error("late"));
  running.get("1")!.end();
  await clock.advance(5_000);
  const summary = await worker;
  assert.deepEqual([summary.completed, summary.failed, summary.lost], [1, 0, 1]);
  assert.equal(source.calls.filter(({ report }) => report).length, 1);
});

Deno.test("a plain success that was lost meanwhile is not counted as completed", async () => {
  const { run, running } = held();
  const { begin, source, clock } = start({ items: 2, run });
  const worker = begin();
  await settle();
  source.take("0");
  running.get("0")!.end();
  running.get("1")!.end();
  await clock.advance(5_000);
  const summary = await worker;
  assert.deepEqual([summary.completed, summary.lost], [1, 1]);
});

for (const verb of ["claim", "settle", "settleAndClaim"] as const) {
  Deno.test(`when the reply to ${verb} is lost, it asks again with the same request id`, async () => {
    const { run, running } = held();
    const { begin, source, clock } = start({ items: 4, run });
    let dropped = false;
    source.after = (called) => {
      if (called !== verb || dropped) return;
      dropped = true;
      throw busy();
    };
    const worker = begin();
    await clock.advance(1_000);
    running.get("0")!.end();
    await clock.advance(3_000);
    await finishAll(worker, running, clock);
    const ids = source.calls.filter((call) => call.verb === verb).map(({ requestId }) => requestId);
    assert.ok(dropped);
    assert.equal(ids[0], ids[1]);
    assert.equal(new Set(ids).size, ids.length - 1, "other requests have ids of their own");
    const summary = await worker;
    assert.deepEqual([summary.claimed, summary.completed, summary.lost], [4, 4, 0]);
    assert.equal(new Set(source.accepted.map(({ name }) => name)).size, 4);
  });
}

for (const { late, begun } of [{ late: 44_000, begun: 1 }, { late: 61_000, begun: 0 }]) {
  Deno.test(`a lease counts from before it was asked for: granted ${late} ms late, ${begun} of 1 is begun`, async () => {
    const { run, running } = held();
    const { begin, source, clock } = start({ items: 1, run });
    let arrive = () => {};
    source.after = () => new Promise<void>((resolve) => arrive = resolve);
    const worker = begin();
    await clock.advance(late);
    source.after = () => {};
    arrive();
    await settle();
    assert.equal(running.size, begun);
    await finishAll(worker, running, clock);
    assert.equal((await worker).lost, 1 - begun);
  });
}

Deno.test("a handler that never returns is aborted, given up and failed, and its place is used", async () => {
  const signals: AbortSignal[] = [];
  const run: Run = ({ name }, { signal }) => {
    if (name !== "0") return done();
    signals.push(signal);
    return new Promise(() => {});
  };
  const { begin, source, clock } = start({ items: 3, run, concurrency: 1, timeoutMs: 5_000 });
  const worker = begin();
  await clock.advance(5_000);
  assert.equal(signals[0].reason.message, "timed_out");
  await clock.advance(10_000);
  const summary = await worker;
  assert.deepEqual([summary.completed, summary.failed], [2, 1]);
  assert.equal(source.accepted.find(({ name }) => name === "0")!.error, "timed out after 5 s");
});

Deno.test("a handler that heeds its timeout fails with it, and one that still succeeds has succeeded", async () => {
  const run: Run = ({ name }, { signal }) =>
    new Promise((resolve, reject) =>
      signal.addEventListener("abort", () => name === "0" ? reject(signal.reason) : resolve())
    );
  const { begin, source, clock } = start({ items: 2, run, timeoutMs: 5_000 });
  const worker = begin();
  await clock.advance(20_000);
  await worker;
  const outcomes = Object.fromEntries(source.accepted.map(({ name, error }) => [name, error]));
  assert.deepEqual(outcomes, { 0: "timed out after 5 s", 1: undefined });
});

Deno.test("at the deadline unstarted work goes back at once and what runs is cut off after the grace", async () => {
  const { run, running } = held();
  const { begin, source, clock } = start({ items: 50, run, deadline: 60_000, graceMs: 10_000 });
  const worker = begin();
  await settle();
  await clock.advance(1_000);
  running.get("0")!.end();
  await clock.advance(59_000);
  await settle();
  const released = source.accepted.filter(({ status }) => status === "released").length;
  assert.ok(released > 0, "handed back before the running ones ended");
  const { signal } = running.get("1")!.context;
  assert.equal(signal.aborted, false);
  await clock.advance(10_000);
  assert.equal(signal.reason.message, "out_of_budget");
  await clock.advance(5_000);
  const summary = await worker;
  assert.equal(summary.truncated_reason, "deadline");
  assert.deepEqual([summary.completed, summary.failed, summary.released], [1, 2, released]);
  assert.equal(summary.claimed, 3 + released);
});

Deno.test("close to the deadline it claims only what it can still start", async () => {
  const { run, running } = held();
  const { begin, source, clock } = start({ items: 50, run, deadline: 30_000 });
  const worker = begin();
  await clock.advance(20_000);
  running.get("0")!.end();
  await settle();
  // 20 s each, 10 s left, one of two places free: only that one.
  assert.equal(source.calls.filter(({ verb }) => verb === "claim").at(-1)!.limit, 1);
  await finishAll(worker, running, clock);
});

Deno.test("told to stop it lets running handlers finish, hands the rest back and takes nothing more", async () => {
  const { run, running } = held();
  const stop = new AbortController();
  const { begin, source, clock } = start({
    items: 50,
    run,
    signal: stop.signal,
    untilEmpty: false,
  });
  const worker = begin();
  await clock.advance(100);
  running.get("0")!.end();
  await settle();
  const waiting = source.waiting.length;
  stop.abort();
  await settle();
  for (const { end } of [...running.values()]) end();
  await clock.advance(1_000);
  const summary = await worker;
  assert.deepEqual([summary.completed, summary.failed], [3, 0]);
  assert.equal(summary.released, summary.claimed - 3);
  assert.equal(source.waiting.length, waiting);
  assert.equal(summary.truncated_reason, "stopped");
});

Deno.test("what a stop cuts off is handed back, what a lack of time or memory cuts off fails", async () => {
  for (
    const { reason, status } of [
      { reason: undefined, status: "released" },
      { reason: new Stop("memory", "out_of_budget", 1_000), status: "failed" },
    ]
  ) {
    const { run, running } = held();
    const stop = new AbortController();
    const { begin, source, clock } = start({ items: 1, run, signal: stop.signal, graceMs: 1_000 });
    const worker = begin();
    await settle();
    stop.abort(reason);
    await clock.advance(10_000);
    await worker;
    assert.deepEqual(source.accepted.map((outcome) => outcome.status), [status]);
    assert.equal(running.get("0")!.context.signal.aborted, true);
  }
});

Deno.test("a grant that arrives after the stop is handed back whole", async () => {
  const stop = new AbortController();
  const { begin, source } = start({ items: 5, signal: stop.signal });
  source.after = (verb) => {
    if (verb === "claim") stop.abort();
  };
  const summary = await begin();
  assert.deepEqual([summary.claimed, summary.released, summary.completed], [2, 2, 0]);
});

Deno.test("a pool that is empty is asked again at growing distances, until it is told to stop", async () => {
  const stop = new AbortController();
  const { begin, source, clock } = start({ items: 0, signal: stop.signal, untilEmpty: false });
  const worker = begin();
  await clock.advance(1_000);
  const early = source.calls.length;
  await clock.advance(60_000);
  const later = source.calls.length - early;
  assert.ok(early >= 3, `${early} in the first second`);
  assert.ok(later <= 20, `${later} in the next minute`);
  source.add("late");
  await clock.advance(6_000);
  assert.deepEqual(source.accepted.map(({ name }) => name), ["late"]);
  stop.abort();
  await clock.advance(1_000);
  assert.equal((await worker).completed, 1);
});

Deno.test("work that appears while the last handlers run is still done", async () => {
  const { run, running } = held();
  const { begin, source, clock } = start({ items: 1, run });
  const worker = begin();
  await clock.advance(10);
  source.add("late");
  await finishAll(worker, running, clock);
  assert.equal((await worker).completed, 2);
});

Deno.test("a claim that is refused for good ends the worker with that error, after settling what it holds", async () => {
  const { run, running } = held();
  const { begin, source, clock } = start({ items: 50, run });
  const worker = begin();
  const failure = assert.rejects(worker, { code: "misconfigured" });
  await clock.advance(10);
  source.before = (verb) => {
    if (verb === "claim") throw new ApiError("misconfigured");
  };
  running.get("0")!.end();
  await settle();
  running.get("1")!.end();
  await clock.advance(1_000);
  await failure;
  assert.deepEqual(source.accepted.map(({ status }) => status), ["succeeded", "succeeded"]);
});

Deno.test("a settlement that is refused gives its lease up and leaves the other work alone", async () => {
  const { begin, source } = start({ items: 6, concurrency: 2, batch: 2 });
  let refused = false;
  source.before = (verb) => {
    if (verb !== "settleAndClaim" || refused) return;
    refused = true;
    throw new ApiError("bad_request");
  };
  const summary = await begin();
  assert.deepEqual([summary.claimed, summary.completed, summary.lost], [6, 4, 2]);
});

Deno.test("progress leaves with the next heartbeat, which then does not wait for a third of the lease", async () => {
  const { run, running } = held();
  const { begin, source, clock } = start({ items: 1, run });
  const worker = begin();
  await settle();
  running.get("0")!.context.progress({ done: 1 });
  running.get("0")!.context.progress({ done: 2 });
  await clock.advance(1_000);
  assert.deepEqual(source.progress, [{ "id-0": { done: 2 } }]);
  await finishAll(worker, running, clock);
});

Deno.test("a handler that throws at once, throws no error, or fails for good fails only itself", async () => {
  const thrown: Record<string, unknown> = {
    0: "just text",
    1: new PermanentError("never"),
    2: undefined,
    3: {
      toString: () => {
        throw new Error("worse");
      },
    },
  };
  const run: Run = ({ name }) => {
    if (name in thrown) throw thrown[name];
    return done();
  };
  const { begin, source } = start({ items: 6, run });
  const summary = await begin();
  assert.deepEqual([summary.completed, summary.failed], [2, 4]);
  const outcome = (name: string) => source.accepted.find((o) => o.name === name)!;
  assert.equal(outcome("0").error, "just text");
  assert.deepEqual([outcome("1").error, outcome("1").permanent], ["never", true]);
  assert.equal(outcome("3").error, "unprintable error");
});

/** Ends every handler as it comes, until the worker is done. */
async function finishAll(
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
