import assert from "node:assert/strict";
import { z } from "zod";
import {
  defineTask,
  defineThoughtWork,
  type HandlerContext,
  registryOf,
} from "../../functions/_shared/handler.ts";
import { commit } from "../../functions/_shared/commit.ts";
import { ApiError } from "../../functions/_shared/errors.ts";
import { once } from "../../functions/_shared/once.ts";
import type { Rpc } from "../../functions/_shared/rpc.ts";
import { chooseWork } from "../../functions/_shared/worker/choose.ts";
import { errorText, PermanentError } from "../../functions/_shared/worker/failure.ts";
import type { RunContext } from "../../functions/_shared/worker/work.ts";
import { newWorkerId } from "../../functions/_shared/worker_id.ts";
import * as handlers from "../../functions/handlers/index.ts";

const log = { info() {}, error() {}, with: () => log };
const greet = defineTask({
  type: "greet",
  payload: z.strictObject({ name: z.string(), times: z.int().default(1) }),
  run: (payload) => Promise.resolve(payload),
});
const odd = defineTask({
  type: "odd",
  payload: z.unknown(),
  run: () => Promise.resolve({ n: 2n }),
});
const nothing = {} as HandlerContext;

Deno.test("a handler gets its payload parsed, defaults included", async () => {
  assert.deepEqual(await greet.run({ name: "Ada" }, nothing), { name: "Ada", times: 1 });
});

Deno.test("a payload that does not fit fails for good, naming the fields and not what is in them", async () => {
  const bad = greet.run({ name: 5, secret: "sk-SECRET" }, nothing);
  await assert.rejects(bad, (error: Error) => {
    assert.ok(error instanceof PermanentError);
    assert.match(error.message, /name: .*expected string.*secret: unknown field/);
    assert.doesNotMatch(error.message, /SECRET/);
    return true;
  });
});

Deno.test("a handler is told what came of the tasks that its own waited for", async () => {
  const told = defineTask({
    type: "told",
    payload: z.unknown(),
    run: (_, { dependencies }) => Promise.resolve(dependencies),
  });
  const parts = { rpc: {} as Rpc, log, workerId: "w", leaseSeconds: 60 };
  const work = chooseWork({ types: ["told"] }, registryOf({ told }), parts);
  const context: RunContext = {
    fence: "1",
    signal: new AbortController().signal,
    progress() {},
    commit: (call) => call(),
  };
  const task = { id: crypto.randomUUID(), attempt: 1, type: "told", payload: null };
  const dependencies = [{ id: crypto.randomUUID(), status: "completed", result: 7 }];
  assert.deepEqual(await work.run({ ...task, dependencies } as never, context), {
    result: dependencies,
  });
  assert.deepEqual(await work.run(task as never, context), {
    result: [],
  });
});

Deno.test("a result that cannot be stored fails its own item, for good", async () => {
  const parts = { rpc: {} as Rpc, log, workerId: "w", leaseSeconds: 60 };
  const work = chooseWork({ types: ["odd"] }, registryOf({ odd }), parts);
  const context: RunContext = {
    fence: "1",
    signal: new AbortController().signal,
    progress() {},
    commit: (call) => call(),
  };
  const task = { id: crypto.randomUUID(), attempt: 1, type: "odd", payload: null };
  await assert.rejects(work.run(task, context), {
    name: "PermanentError",
    message: /result .* must be JSON/,
  });
});

Deno.test("two handlers cannot answer to one name", () => {
  assert.throws(() => registryOf({ greet, again: { ...greet } }), /Two handlers are named greet/);
});

Deno.test("every handler of the project is registered under its own name", () => {
  const { tasks, thoughts } = registryOf(handlers);
  assert.ok(tasks.has("generate_care_plan"));
  assert.ok(thoughts.has("enrichment"));
});

Deno.test("work nobody has a handler for is refused with the names that are known", () => {
  const parts = { rpc: {} as Rpc, log, workerId: "w", leaseSeconds: 60 };
  const dream = defineThoughtWork({ workType: "dream", run: () => Promise.resolve() });
  const registry = registryOf({ greet, odd, dream });
  assert.throws(
    () => chooseWork({ types: ["greet", "x"] }, registry, parts),
    /types\[1\].*known: greet, odd/,
  );
  assert.throws(() => chooseWork({ work_type: "x" }, registry, parts), /work_type.*known: dream/);
});

Deno.test("an error becomes text that can be stored, whatever was thrown", () => {
  assert.equal(errorText(new TypeError("a\0b\u001b[31m\nc")), "TypeError: ab[31m\nc");
  assert.equal(errorText(new Error("\ud800 alone")), "Error: \ufffd alone");
  assert.equal(errorText("😀".repeat(2_000)).length, 2_000);
  assert.equal(errorText(new Error("x".repeat(1e6))).length, 2_000);
  assert.ok(errorText("x".repeat(1_999) + "😀").isWellFormed());
  assert.equal(errorText(null), "null");
  assert.equal(errorText(""), "unprintable error");
});

Deno.test("worker ids of one process are all different and fit the limit", () => {
  const ids = new Set(Array.from({ length: 100 }, newWorkerId));
  assert.equal(ids.size, 100);
  for (const id of ids) assert.match(id, /^[\w.-]{1,200}$/);
});

/** The ledger, as far as `once` sees it. */
function ledger(state: "go" | "done" | "parked", result: unknown = null) {
  const calls: [string, unknown][] = [];
  const rpc = {
    call(name: string, args: unknown) {
      calls.push([name, args]);
      const begun = { state, result, idempotency_key: "id:email" };
      return Promise.resolve(name === "effect_begin" ? begun : true);
    },
  } as unknown as Rpc;
  return { calls, rpc };
}
const effect = { fence: "7", id: "id", key: "email" };

Deno.test("an effect is begun, done with the ledger's key, and noted with its result", async () => {
  const { rpc, calls } = ledger("go");
  const result = await once(
    rpc,
    effect,
    ({ idempotencyKey }) => Promise.resolve({ sent: idempotencyKey }),
    { mode: "provider_key" },
  );
  assert.deepEqual(result, { sent: "id:email" });
  const named = { p_fence: "7", p_id: "id", p_key: "email" };
  const { p_request_id, ...begun } = calls[0][1] as Record<string, unknown>;
  assert.match(String(p_request_id), /^[0-9a-f-]{36}$/);
  assert.deepEqual(begun, { ...named, p_mode: "provider_key", p_key_hours: undefined });
  assert.deepEqual(calls.slice(1), [
    ["effect_done", { ...named, p_result: { sent: "id:email" } }],
  ]);
});

Deno.test("an effect that was done before is not done again, and gives what it gave", async () => {
  const { rpc } = ledger("done", { sent: "before" });
  const result = await once(rpc, effect, () => Promise.reject(new Error("done twice")));
  assert.deepEqual(result, { sent: "before" });
});

Deno.test("an effect nobody can be sure of is not tried, and fails for good", async () => {
  const { rpc } = ledger("parked");
  const tried = once(rpc, effect, () => Promise.reject(new Error("done twice")));
  await assert.rejects(tried, { name: "PermanentError", message: /parked/ });
});

Deno.test("an effect that throws is not noted as done", async () => {
  const { rpc, calls } = ledger("go");
  await assert.rejects(once(rpc, effect, () => Promise.reject(new Error("down"))), /down/);
  assert.deepEqual(calls.map(([name]) => name), ["effect_begin"]);
});

/** A project where the function of a user is refused, though it may have been what completed the work. */
function refusing(completed: boolean) {
  const calls: [string, unknown][] = [];
  const rpc = {
    callYours: (name: string, args: unknown) => {
      calls.push([name, args]);
      return Promise.reject(new ApiError("conflict", "lost"));
    },
    call: (name: string, args: unknown) => {
      calls.push([name, args]);
      return Promise.resolve(completed);
    },
  } as unknown as Rpc;
  return { calls, rpc };
}
const work = { fence: "7", id: "id", signal: new AbortController().signal };

Deno.test("a commit that is refused because it was done before has succeeded", async () => {
  const { rpc, calls } = refusing(true);
  assert.equal(await commit(rpc, work, "write_letter", { p_text: "Hello" }), null);
  assert.deepEqual(calls, [
    ["write_letter", { p_text: "Hello", p_fence: "7", p_id: "id" }],
    ["was_completed", { p_fence: "7", p_id: "id" }],
  ]);
});

Deno.test("a commit that is refused and was not done fails with the refusal", async () => {
  const { rpc } = refusing(false);
  await assert.rejects(commit(rpc, work, "write_letter"), { code: "conflict", message: "lost" });
});
