// The loop, against a pool in memory and a clock that stands still: what it takes, and when.
import assert from "node:assert/strict";
import { ApiError } from "../../functions/_shared/errors.ts";
import { PermanentError } from "../../functions/_shared/worker/failure.ts";
import { settle } from "../support/fake_clock.ts";
import { done, finishAll, held, readyWorker, type Run } from "../support/worker.ts";

Deno.test("what it claims is what it accounts for, and then it returns", async () => {
  const { begin, source } = readyWorker({ items: 37 });
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
  const { begin, source } = readyWorker({ items: 4, run, concurrency: 4 });
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
  const { begin, source } = readyWorker({ items: 200 });
  await begin();
  assert.ok(source.verbs().filter((verb) => verb === "claim").length <= 2);
  assert.ok(source.verbs().filter((verb) => verb === "settleAndClaim").length >= 20);
});

Deno.test("the next batch is claimed before the current one ran dry", async () => {
  const { run, running, names } = held();
  const { begin, source, clock } = readyWorker({ items: 40, run, concurrency: 2, batch: 4 });
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
  const { begin, clock } = readyWorker({ items: 30, run, concurrency: 3 });
  await finishAll(begin(), running, clock);
  assert.equal(most(), 3);
});

Deno.test("it claims no more than it can start within half a lease", async () => {
  const { run, running } = held();
  const { begin, source, clock } = readyWorker({ items: 100, run, concurrency: 2, batch: 50 });
  const worker = begin();
  await settle();
  await clock.advance(20_000);
  running.get("0")!.end();
  await settle();
  // 20 s each, two at a time, half of 90 s: four of them.
  assert.equal(source.calls.filter(({ verb }) => verb === "claim").at(-1)!.limit, 4);
  await finishAll(worker, running, clock, 20_000);
});

Deno.test("a pool that is empty is asked again at growing distances, until it is told to stop", async () => {
  const stop = new AbortController();
  const { begin, source, clock } = readyWorker({
    items: 0,
    signal: stop.signal,
    untilEmpty: false,
  });
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
  const { begin, source, clock } = readyWorker({ items: 1, run });
  const worker = begin();
  await clock.advance(10);
  source.add("late");
  await finishAll(worker, running, clock);
  assert.equal((await worker).completed, 2);
});

Deno.test("what comes shortly after the last claim found nothing is done by who lingers, and then it returns", async () => {
  const { begin, source, clock } = readyWorker({ items: 1, lingerMs: 1_000 });
  const worker = begin();
  let over = false;
  worker.then(() => over = true);
  await clock.advance(950);
  source.add("soon");
  await clock.advance(60);
  assert.deepEqual(source.accepted.map(({ name }) => name), ["0", "soon"]);
  await clock.advance(900);
  assert.equal(over, false, "it lingers anew after each find");
  await clock.advance(200);
  const asked = source.calls.length;
  assert.equal((await worker).completed, 2);
  await clock.advance(60_000);
  assert.equal(source.calls.length, asked);
});

Deno.test("who would linger past its deadline returns at once, having left nothing behind", async () => {
  const { begin, clock } = readyWorker({ items: 1, lingerMs: 5_000, deadline: 4_000 });
  const { completed, truncated, duration_ms } = await begin();
  assert.deepEqual([completed, truncated, duration_ms], [1, false, 0]);
  assert.ok(clock.now() < 4_000);
});

Deno.test("a claim that is refused for good ends the worker with that error, after settling what it holds", async () => {
  const { run, running } = held();
  const { begin, source, clock } = readyWorker({ items: 50, run });
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
  const { begin, source } = readyWorker({ items: 6, run });
  const summary = await begin();
  assert.deepEqual([summary.completed, summary.failed], [2, 4]);
  const outcome = (name: string) => source.accepted.find((o) => o.name === name)!;
  assert.equal(outcome("0").error, "just text");
  assert.deepEqual([outcome("1").error, outcome("1").permanent], ["never", true]);
  assert.equal(outcome("3").error, "unprintable error");
});
