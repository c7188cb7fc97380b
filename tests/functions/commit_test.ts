// What the loop makes of handlers that complete their work themselves, in a transaction of their own.
import assert from "node:assert/strict";
import { ApiError } from "../../functions/_shared/errors.ts";
import type { FakeSource } from "../support/fake_source.ts";
import { settle } from "../support/fake_clock.ts";
import { done, finishAll, held, readyWorker, type Run } from "../support/worker.ts";

/** A handler's own completion, as its SQL function does it. */
function complete(source: FakeSource, name: string): Promise<string> {
  source.take(name);
  return Promise.resolve("written");
}

const isEven = (name: string) => Number(name) % 2 === 0;
const refused = () => new ApiError("conflict", "lost");

Deno.test("what handlers complete themselves is counted, and not reported again", async () => {
  const answers: string[] = [];
  const run: Run = async ({ name }, { commit }) => {
    if (isEven(name)) answers.push(await commit(() => complete(ready.source, name)));
  };
  const ready = readyWorker({ items: 6, run });
  const summary = await ready.begin();
  assert.deepEqual([summary.claimed, summary.completed, summary.lost], [6, 6, 0]);
  assert.deepEqual(ready.source.accepted.map(({ name }) => name).sort(), ["1", "3", "5"]);
  assert.deepEqual(answers, ["written", "written", "written"]);
});

Deno.test("when they complete everything there is nothing to report", async () => {
  const run: Run = async ({ name }, { commit }) => {
    await commit(() => complete(ready.source, name));
  };
  const ready = readyWorker({ items: 6, run });
  const summary = await ready.begin();
  assert.deepEqual([summary.completed, summary.lost], [6, 0]);
  assert.deepEqual(ready.source.calls.filter(({ report }) => report), []);
});

for (const what of ["throws", "hangs"]) {
  Deno.test(`a handler that ${what} after it completed has completed`, async () => {
    const run: Run = async ({ name }, { commit }) => {
      if (name !== "0") return;
      await commit(() => complete(ready.source, name));
      if (what === "throws") throw new Error("late");
      await new Promise(() => {});
    };
    const ready = readyWorker({ items: 3, run, timeoutMs: 5_000 });
    const worker = ready.begin();
    await ready.clock.advance(20_000);
    const summary = await worker;
    assert.deepEqual([summary.completed, summary.failed, summary.lost], [3, 0, 0]);
  });
}

Deno.test("a heartbeat in the middle of the completion does not take its work for lost", async () => {
  const { run: hold, running } = held();
  const answer = Promise.withResolvers<void>();
  const run: Run = async (item, context) => {
    if (item.name !== "0") return await hold(item, context);
    signal = context.signal;
    await context.commit(() => {
      ready.source.take(item.name);
      return answer.promise;
    });
  };
  let signal: AbortSignal | undefined;
  const ready = readyWorker({ items: 2, run });
  const worker = ready.begin();
  await ready.clock.advance(45_000);
  assert.ok(ready.source.verbs().includes("renew"));
  assert.equal(signal!.aborted, false);
  answer.resolve();
  await settle();
  await finishAll(worker, running, ready.clock);
  const summary = await worker;
  assert.deepEqual([summary.completed, summary.lost], [2, 0]);
});

Deno.test("a completion that is refused is thrown, and what the handler makes of it is reported", async () => {
  const run: Run = async (_, { commit }) => {
    await commit(() => Promise.reject(refused())).catch((error) => {
      assert.equal(error.code, "conflict");
      throw new Error("not written");
    });
  };
  const { begin, source } = readyWorker({ items: 2, run });
  const summary = await begin();
  assert.deepEqual([summary.completed, summary.failed], [0, 2]);
  assert.match(source.accepted[0].error!, /not written/);
});

Deno.test("when somebody else has the work, a refused completion is no failure of it", async () => {
  const run: Run = async ({ name }, { commit }) => {
    ready.source.take(name);
    await commit(() => Promise.reject(refused()));
  };
  const ready = readyWorker({ items: 2, run });
  const worker = ready.begin();
  await ready.clock.advance(5_000);
  const summary = await worker;
  assert.deepEqual([summary.completed, summary.failed, summary.lost], [0, 0, 2]);
});

Deno.test("a lease that is lost in the middle of a completion counts each of its items once", async () => {
  const answer = Promise.withResolvers<void>();
  const run: Run = ({ name }, { commit }) => name === "0" ? commit(() => answer.promise) : done();
  const { begin, source, clock } = readyWorker({ items: 2, run });
  source.before = (verb) => {
    if (verb === "renew") throw new ApiError("unavailable");
  };
  const worker = begin();
  await clock.advance(60_000);
  answer.resolve();
  await clock.advance(5_000);
  const { claimed, completed, failed, released, lost } = await worker;
  assert.equal(claimed, completed + failed + released + lost);
});
