// How work comes to an end before it is done: timeouts, deadlines, stops.
import assert from "node:assert/strict";
import { Stop } from "../../functions/_shared/worker.ts";
import { settle } from "../support/fake_clock.ts";
import { done, finishAll, held, readyWorker, type Run } from "../support/worker.ts";

Deno.test("a handler that never returns is aborted, given up and failed, and its place is used", async () => {
  const signals: AbortSignal[] = [];
  const run: Run = ({ name }, { signal }) => {
    if (name !== "0") return done();
    signals.push(signal);
    return new Promise(() => {});
  };
  const { begin, source, clock } = readyWorker({ items: 3, run, concurrency: 1, timeoutMs: 5_000 });
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
  const { begin, source, clock } = readyWorker({ items: 2, run, timeoutMs: 5_000 });
  const worker = begin();
  await clock.advance(20_000);
  await worker;
  const outcomes = Object.fromEntries(source.accepted.map(({ name, error }) => [name, error]));
  assert.deepEqual(outcomes, { 0: "timed out after 5 s", 1: undefined });
});

Deno.test("at the deadline unstarted work goes back at once and what runs is cut off after the grace", async () => {
  const { run, running } = held();
  const { begin, source, clock } = readyWorker({
    items: 50,
    run,
    deadline: 60_000,
    graceMs: 10_000,
  });
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
  const { begin, source, clock } = readyWorker({ items: 50, run, deadline: 30_000 });
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
  const { begin, source, clock } = readyWorker({
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
    const { begin, source, clock } = readyWorker({
      items: 1,
      run,
      signal: stop.signal,
      graceMs: 1_000,
    });
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
  const { begin, source } = readyWorker({ items: 5, signal: stop.signal });
  source.after = (verb) => {
    if (verb === "claim") stop.abort();
  };
  const summary = await begin();
  assert.deepEqual([summary.claimed, summary.released, summary.completed], [2, 2, 0]);
});
