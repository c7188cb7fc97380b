// What the loop does with the leases it holds: keeps them, settles them, notices when they are lost.
import assert from "node:assert/strict";
import { ApiError } from "../../functions/_shared/errors.ts";
import { settle } from "../support/fake_clock.ts";
import { finishAll, held, readyWorker } from "../support/worker.ts";

const busy = () => new ApiError("unavailable");

Deno.test("outcomes of slow neighbours do not wait for the whole lease", async () => {
  const { run, running } = held();
  const { begin, source, clock } = readyWorker({ items: 2, run });
  const worker = begin();
  await settle();
  running.get("0")!.end();
  await clock.advance(2_000);
  assert.deepEqual(source.accepted.map(({ name }) => name), ["0"]);
  const report = source.calls.find(({ verb }) => verb === "settle")!.report!;
  assert.equal(report.rest, null);
  await finishAll(worker, running, clock);
});

Deno.test("every lease is renewed after a third of its time, as often as it takes", async () => {
  const { run, running } = held();
  const { begin, source, clock } = readyWorker({ items: 2, run });
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
  const { begin, source, clock } = readyWorker({ items: 2, run });
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
  const { begin, source, clock } = readyWorker({ items: 1, run });
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
  const { begin, source, clock } = readyWorker({ items: 2, run });
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
  const { begin, source, clock } = readyWorker({ items: 2, run });
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
  const { begin, source, clock } = readyWorker({ items: 2, run });
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
    const { begin, source, clock } = readyWorker({ items: 4, run });
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
    const { begin, source, clock } = readyWorker({ items: 1, run });
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

Deno.test("a settlement that is refused gives its lease up and leaves the other work alone", async () => {
  const { begin, source } = readyWorker({ items: 6, concurrency: 2, batch: 2 });
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
  const { begin, source, clock } = readyWorker({ items: 1, run });
  const worker = begin();
  await settle();
  running.get("0")!.context.progress({ done: 1 });
  running.get("0")!.context.progress({ done: 2 });
  await clock.advance(1_000);
  assert.deepEqual(source.progress, [{ "id-0": { done: 2 } }]);
  await finishAll(worker, running, clock);
});
