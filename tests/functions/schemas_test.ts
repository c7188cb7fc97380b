import assert from "node:assert/strict";
import type { z } from "zod";
import { issuesOf } from "../../functions/_shared/issues.ts";
import {
  ClaimRequest,
  DrainRequest,
  EnqueueRequest,
  Moment,
  ReleaseRequest,
  RenewRequest,
} from "../../functions/_shared/schemas.ts";

const LONE = "\ud800";
const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

function paths(schema: z.ZodType, value: unknown): string[] {
  const result = schema.safeParse(value);
  return result.success ? [] : issuesOf(result.error).map(({ path }) => path);
}

function messages(schema: z.ZodType, value: unknown): string {
  const result = schema.safeParse(value);
  return result.success ? "" : issuesOf(result.error).map(({ message }) => message).join("\n");
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = { inner: value };
  return value;
}

Deno.test("a claim of tasks gets its defaults, and one of thoughts is told by its work type", () => {
  assert.deepEqual(ClaimRequest.parse({ worker_id: "w" }), {
    worker_id: "w",
    limit: 1,
    lease_seconds: 900,
  });
  assert.equal("work_type" in ClaimRequest.parse({ worker_id: "w", work_type: "x" }), true);
});

const claims: [string, Record<string, unknown>, string[]][] = [
  ["no worker id", { worker_id: undefined }, ["worker_id"]],
  ["an empty worker id", { worker_id: "" }, ["worker_id", "worker_id"]],
  ["a blank worker id", { worker_id: "  " }, ["worker_id"]],
  ["a worker id of 201 characters", { worker_id: "w".repeat(201) }, ["worker_id"]],
  ["a worker id with a line break", { worker_id: "a\nb" }, ["worker_id"]],
  ["a worker id with NUL", { worker_id: "a\0" }, ["worker_id"]],
  ["a worker id with a lone surrogate", { worker_id: LONE }, ["worker_id"]],
  ["a limit of 0", { limit: 0 }, ["limit"]],
  ["a negative limit", { limit: -1 }, ["limit"]],
  ["a limit over 1000", { limit: 1001 }, ["limit"]],
  ["half a limit", { limit: 1.5 }, ["limit"]],
  ["a limit as text", { limit: "5" }, ["limit"]],
  ["an endless limit", { limit: 1e400 }, ["limit"]],
  ["a lease of no time", { lease_seconds: 0 }, ["lease_seconds"]],
  ["a lease of over a day", { lease_seconds: 86_401 }, ["lease_seconds"]],
  ["an unknown field", { color: "red" }, ["color"]],
  ["two wrong fields", { limit: -1, color: "red" }, ["limit", "color"]],
  ["a type that is no text", { types: ["a", 5] }, ["types[1]"]],
  ["no types at all", { types: [] }, ["types"]],
];
for (const [what, change, expected] of claims) {
  Deno.test(`a claim with ${what} is refused at ${expected.join(", ")}`, () => {
    assert.deepEqual(paths(ClaimRequest, { worker_id: "w", ...change }), expected);
  });
}

Deno.test("a body that is no object at all is refused as a whole", () => {
  for (const body of [null, [], "x", 5, true]) {
    assert.deepEqual(paths(ClaimRequest, body), [""]);
    assert.deepEqual(paths(EnqueueRequest, body), [""]);
  }
});

Deno.test("a thousand ids may be named and not one more, and not beside a limit", () => {
  const claim = { worker_id: "w", work_type: "x" };
  const ids = Array.from({ length: 1001 }, (_, i) => id(i));
  assert.deepEqual(paths(ClaimRequest, { ...claim, thought_ids: ids.slice(1) }), []);
  assert.deepEqual(paths(ClaimRequest, { ...claim, thought_ids: ids }), ["thought_ids"]);
  assert.deepEqual(paths(ClaimRequest, { ...claim, thought_ids: [id(1), "x"] }), [
    "thought_ids[1]",
  ]);
  assert.deepEqual(paths(ClaimRequest, { ...claim, thought_ids: [id(1)], limit: 5 }), ["limit"]);
});

Deno.test("a fence is digits as text, never a number", () => {
  assert.deepEqual(paths(RenewRequest, { fence: "9007199254740993" }), []);
  for (const fence of [9007199254740993, "", "-1", "1e3", " 1", "0x1", "1".repeat(19)]) {
    assert.deepEqual(paths(RenewRequest, { fence }), ["fence"], String(fence));
  }
});

const payloads: [string, unknown, boolean][] = [
  ["nothing", undefined, true],
  ["null", null, true],
  ["text", "hello", true],
  ["64 levels", nested(64), true],
  ["65 levels", nested(65), false],
  ["100,000 levels", nested(100_000), false],
  ["NUL in a value", { a: ["x\0"] }, false],
  ["NUL in a key", { "x\0": 1 }, false],
  ["a lone surrogate in a value", { a: { b: LONE } }, false],
  ["a lone surrogate in a key", { [LONE]: 1 }, false],
  ["a pair of surrogates", { a: "😀" }, true],
  ["the largest safe whole number", { n: 9007199254740991 }, true],
  ["a whole number that JSON would change", { n: 9007199254740993 }, false],
  ["a number that is infinite once parsed", JSON.parse("[1e400]"), false],
  ["a key named __proto__", JSON.parse('{"__proto__": {"a": 1}}'), true],
];
for (const [what, payload, allowed] of payloads) {
  Deno.test(`a payload of ${what} is ${allowed ? "accepted" : "refused at its own path"}`, () => {
    const expected = allowed ? [] : ["tasks[1].payload"];
    const tasks = [{ type: "a" }, { type: "a", payload }];
    assert.deepEqual(paths(EnqueueRequest, { tasks }), expected);
  });
}

Deno.test("what is wrong with a payload is said without a word of it", () => {
  const secret = "sk-SECRET";
  const bodies = [{ [secret]: "\0" }, { a: `${secret}\0` }, nested(70)];
  for (const payload of bodies) {
    assert.doesNotMatch(messages(EnqueueRequest, { tasks: [{ type: "a", payload }] }), /SECRET/);
  }
  const unknown = { tasks: [{ type: "a", [`${secret} and\nmore`]: 1 }] };
  assert.deepEqual(paths(EnqueueRequest, unknown), ["tasks[0].?"]);
});

const tasks: [string, Record<string, unknown>, string[]][] = [
  ["a moment without offset", { run_at: "2026-01-01T00:00:00" }, ["tasks[0].run_at"]],
  ["a moment that is none", { run_at: "tomorrow" }, ["tasks[0].run_at"]],
  ["a priority beyond smallint", { priority: 32_768 }, ["tasks[0].priority"]],
  ["no attempts", { max_attempts: 0 }, ["tasks[0].max_attempts"]],
  ["too many attempts", { max_attempts: 101 }, ["tasks[0].max_attempts"]],
  ["a type of 101 characters", { type: "t".repeat(101) }, ["tasks[0].type"]],
  ["a status of its own", { status: "completed" }, ["tasks[0].status"]],
];
for (const [what, change, expected] of tasks) {
  Deno.test(`a task with ${what} is refused at ${expected}`, () => {
    assert.deepEqual(paths(EnqueueRequest, { tasks: [{ type: "a", ...change }] }), expected);
  });
}

Deno.test("one to a thousand tasks go in one call", () => {
  const of = (length: number) => ({ tasks: Array.from({ length }, () => ({ type: "a" })) });
  assert.deepEqual([paths(EnqueueRequest, of(0)), paths(EnqueueRequest, of(1001))], [["tasks"], [
    "tasks",
  ]]);
  assert.deepEqual(paths(EnqueueRequest, of(1000)), []);
});

Deno.test("a release says what it settles, or whose work it hands back, and nothing of the other", () => {
  assert.deepEqual(paths(ReleaseRequest, { fence: "1" }), ["outcomes"]);
  assert.deepEqual(paths(ReleaseRequest, { fence: "1", rest: "done" }), ["rest"]);
  assert.deepEqual(
    paths(ReleaseRequest, { fence: "1", outcomes: [{ id: id(1), status: "claimed" }] }),
    [
      "outcomes[0].status",
    ],
  );
  assert.deepEqual(
    paths(ReleaseRequest, {
      fence: "1",
      outcomes: [{ id: id(1), status: "failed", error: "x\0" }],
    }),
    ["outcomes[0].error"],
  );
  assert.deepEqual(paths(ReleaseRequest, { worker_id: "w", rest: "failed" }), ["rest"]);
  assert.deepEqual(
    paths(ReleaseRequest, { fence: "1", claim: { worker_id: "w", thought_ids: [] } }),
    ["claim.thought_ids"],
  );
  assert.deepEqual(paths(ReleaseRequest, { fence: "1", claim: { worker_id: "w" } }), []);
});

Deno.test("what zod would leave out without a word is refused", () => {
  const proto = JSON.parse('{"__proto__": {"a": 1}}');
  assert.deepEqual(paths(RenewRequest, { fence: "1", progress: proto }), ["progress.__proto__"]);
  const outcomes = [{ id: id(1), status: "succeeded", metadata: proto }];
  assert.deepEqual(paths(ReleaseRequest, { fence: "1", outcomes }), [
    "outcomes[0].metadata.__proto__",
  ]);
});

Deno.test("a drain works on tasks or on thoughts, not both", () => {
  assert.deepEqual(paths(DrainRequest, { types: ["a"], work_type: "x" }), ["work_type"]);
  assert.deepEqual(paths(DrainRequest, { budget_seconds: 401 }), ["budget_seconds"]);
});

Deno.test("a moment reads the same from every data API", () => {
  assert.equal(Moment.parse("2026-11-21 19:19:18.728055+00"), "2026-11-21T19:19:18.728055+00:00");
  assert.equal(
    Moment.parse("2026-11-21T19:19:18.728055+00:00"),
    "2026-11-21T19:19:18.728055+00:00",
  );
  assert.equal(Moment.parse("2026-11-21 19:19:18+05:30"), "2026-11-21T19:19:18+05:30");
});
