import assert from "node:assert/strict";
import { type Caller, drainByCalls } from "../../../scripts/bench/calls.ts";
import { type DrainOptions, FailOnce, type Payload } from "../../../scripts/bench/contender.ts";

/** A worker that is answered so, one answer a call, and tells what it was asked. */
function newCaller(answers: number[][], reportsFailures = true) {
  const asked: string[] = [];
  const caller: Caller = {
    reportsFailures,
    next(failed) {
      asked.push(`next [${failed}]`);
      const tasks = answers.shift() ?? [];
      return Promise.resolve(tasks.map((n): Payload => ({ n, to: "", subject: "" })));
    },
    finish(failed) {
      asked.push(`finish [${failed}]`);
      return Promise.resolve();
    },
  };
  return { caller, asked };
}

/** Lets workers drain with a handler, one after the other task. */
function drain(callers: Caller[], execute: DrainOptions["execute"], options = {}): Promise<void> {
  const { signal } = new AbortController();
  return drainByCalls(callers, { workers: 1, batch: 2, execute, signal, ...options });
}

Deno.test("a worker asks until no task is due", async () => {
  const { caller, asked } = newCaller([[1, 2], [3], []]);
  const executed: number[] = [];
  await drain([caller], ({ n }) => void executed.push(n));
  assert.deepEqual(executed, [1, 2, 3]);
  assert.deepEqual(asked, ["next []", "next []", "next []"]);
});

Deno.test("a worker that is told to end settles what it holds", async () => {
  const { caller, asked } = newCaller([[1, 2], [3]]);
  const enough = new AbortController();
  await drain([caller], () => enough.abort(), { signal: enough.signal });
  assert.deepEqual(asked, ["next []", "finish []"]);
});

Deno.test("a worker that is to go on asks again when no task is due", async () => {
  const { caller, asked } = newCaller([[], [], [1]]);
  const enough = new AbortController();
  await drain([caller], () => enough.abort(), { signal: enough.signal, untilAborted: true });
  assert.deepEqual(asked, ["next []", "next []", "next []", "finish []"]);
});

Deno.test("tasks that fail are reported by their places, and the others are executed", async () => {
  const { caller, asked } = newCaller([[5, 6, 7], [8], []]);
  const executed: number[] = [];
  await drain([caller], async ({ n }) => {
    if (n !== 6) await Promise.resolve();
    if (n === 5) throw new FailOnce();
    if (n === 7) return Promise.reject(new FailOnce());
    executed.push(n);
  });
  assert.deepEqual(executed, [6, 8]);
  assert.deepEqual(asked, ["next []", "next [0,2]", "next []"]);
});

Deno.test("a failure its contender cannot report ends the drain", async () => {
  const { caller } = newCaller([[1]], false);
  await assert.rejects(
    drain([caller], () => {
      throw new FailOnce("would be lost");
    }),
    /would be lost/,
  );
});

Deno.test("any other error of a handler ends the drain", async () => {
  const { caller } = newCaller([[1]]);
  await assert.rejects(drain([caller], () => Promise.reject(new Error("planned twice"))), /twice/);
});

Deno.test("every call is timed", async () => {
  const { caller } = newCaller([[1], [2], []]);
  const calls: number[] = [];
  await drain([caller], () => {}, { onCall: (ms: number) => calls.push(ms) });
  assert.equal(calls.length, 3);
});
