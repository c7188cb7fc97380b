// Everything a caller can get wrong, sent to the real thing: a clear refusal, and no row changed.
import assert from "node:assert/strict";
import postgres from "postgres";
import { ERRORS } from "../../functions/_shared/errors.ts";
import type { Stack } from "../../scripts/stack/stack.ts";
import { contents } from "../support/contents.ts";
import { assertRefused as refused, post, type Reply, send } from "../support/endpoints.ts";
import { testStack } from "../support/stack.ts";

const LONE = "\\ud800";
const CANARY = "sk-canary-SECRET";
const UNKNOWN = "00000000-0000-4000-8000-000000000001";

const POSTED = ["claim", "renew", "release", "enqueue", "drain", "dispatch"];
const good: Record<string, unknown> = {
  claim: { worker_id: "w", types: ["spare"] },
  renew: { fence: "1" },
  release: { worker_id: "nobody" },
  enqueue: { tasks: [{ type: "spare" }] },
  drain: {},
  dispatch: {},
};

function nested(depth: number): unknown {
  return JSON.parse("[".repeat(depth) + "]".repeat(depth));
}

/** Of each endpoint: what is wrong, the body, and the path that has to be named. */
const badBodies: Record<string, [string, unknown, string][]> = {
  claim: [
    ["no worker id", { types: ["a"] }, "worker_id"],
    ["an empty worker id", { worker_id: "" }, "worker_id"],
    ["an over-long worker id", { worker_id: "w".repeat(201) }, "worker_id"],
    ["NUL in the worker id", { worker_id: "a\0" }, "worker_id"],
    ["an over-long type", { worker_id: "w", types: ["t".repeat(101)] }, "types[0]"],
    ["an empty work type", { worker_id: "w", work_type: "" }, "work_type"],
    ["a negative limit", { worker_id: "w", limit: -1 }, "limit"],
    ["a huge limit", { worker_id: "w", limit: 1e15 }, "limit"],
    ["a negative lease", { worker_id: "w", lease_seconds: -1 }, "lease_seconds"],
    ["a huge lease", { worker_id: "w", lease_seconds: 1e15 }, "lease_seconds"],
    ["a number as worker id", { worker_id: 5 }, "worker_id"],
    ["ids that are none", { worker_id: "w", work_type: "x", thought_ids: ["1"] }, "thought_ids[0]"],
    [
      "too many ids",
      { worker_id: "w", work_type: "x", thought_ids: Array(1001).fill(UNKNOWN) },
      "thought_ids",
    ],
    ["ids for tasks", { worker_id: "w", thought_ids: [UNKNOWN] }, "thought_ids"],
    ["an over-long request id", { worker_id: "w", request_id: "r".repeat(201) }, "request_id"],
  ],
  renew: [
    ["no fence", {}, "fence"],
    ["a fence as a number", { fence: 1 }, "fence"],
    ["a fence that is none", { fence: "1; drop table" }, "fence"],
    ["a huge lease", { fence: "1", lease_seconds: 1e9 }, "lease_seconds"],
    ["progress of no id", { fence: "1", progress: { x: 1 } }, "progress.x"],
    ["progress with NUL", { fence: "1", progress: { [UNKNOWN]: "\0" } }, `progress.${UNKNOWN}`],
  ],
  release: [
    ["nothing to do", { fence: "1" }, "outcomes"],
    [
      "an unknown outcome",
      { fence: "1", outcomes: [{ id: UNKNOWN, status: "done" }] },
      "outcomes[0].status",
    ],
    ["an unknown rest", { fence: "1", rest: "claimed" }, "rest"],
    ["too many outcomes", {
      fence: "1",
      outcomes: Array(1001).fill({ id: UNKNOWN, status: "failed" }),
    }, "outcomes"],
    [
      "NUL in an error",
      { fence: "1", outcomes: [{ id: UNKNOWN, status: "failed", error: "\0" }] },
      "outcomes[0].error",
    ],
    [
      "one id twice",
      { fence: "1", outcomes: Array(2).fill({ id: UNKNOWN, status: "failed" }) },
      "outcomes[1].id",
    ],
    ["an unknown field of an outcome", {
      fence: "1",
      outcomes: [{ id: UNKNOWN, status: "failed", why: 1 }],
    }, "outcomes[0].why"],
    [
      "a bad claim on the way",
      { fence: "1", rest: "succeeded", claim: { worker_id: "" } },
      "claim.worker_id",
    ],
    ["a fence beside a worker id", { worker_id: "w", fence: "1" }, "fence"],
    ["a blank worker id", { worker_id: " " }, "worker_id"],
  ],
  enqueue: [
    ["no tasks", {}, "tasks"],
    ["an empty list", { tasks: [] }, "tasks"],
    ["too many tasks", { tasks: Array(1001).fill({ type: "a" }) }, "tasks"],
    ["one bad among good ones", { tasks: [{ type: "spare" }, { type: "" }] }, "tasks[1].type"],
    [
      "NUL in a payload",
      { tasks: [{ type: "a", payload: { [CANARY]: "\0" } }] },
      "tasks[0].payload",
    ],
    [
      "a payload nested too deeply",
      { tasks: [{ type: "a", payload: nested(65) }] },
      "tasks[0].payload",
    ],
    [
      "a payload nested absurdly",
      { tasks: [{ type: "a", payload: nested(5_000) }] },
      "tasks[0].payload",
    ],
    ["a moment that is none", { tasks: [{ type: "a", run_at: "soon" }] }, "tasks[0].run_at"],
    [
      "a moment that cannot be",
      { tasks: [{ type: "a", run_at: "2026-02-30T00:00:00Z" }] },
      "tasks[0].run_at",
    ],
    ["a huge priority", { tasks: [{ type: "a", priority: 1e9 }] }, "tasks[0].priority"],
    ["no attempts", { tasks: [{ type: "a", max_attempts: 0 }] }, "tasks[0].max_attempts"],
    ["an id of its own", { tasks: [{ type: "a", id: UNKNOWN }] }, "tasks[0].id"],
  ],
  drain: [
    ["an unknown task type", { types: ["unheard_of"] }, "types[0]"],
    ["an unknown work type", { work_type: "unheard_of" }, "work_type"],
    ["both surfaces", { types: ["a"], work_type: "b" }, "work_type"],
    ["a huge concurrency", { concurrency: 1e6 }, "concurrency"],
    ["no budget", { budget_seconds: 0 }, "budget_seconds"],
    ["lingering for an hour", { linger_seconds: 3600 }, "linger_seconds"],
    ["waiting for a maybe", { wait: "yes" }, "wait"],
  ],
  dispatch: [
    ["a dispatch id that is none", { dispatch_id: "last" }, "dispatch_id"],
    ["a number as dispatch id", { dispatch_id: 5 }, "dispatch_id"],
  ],
};

type Given = Parameters<typeof send>[2];

/** Whatever the endpoint: what is wrong with the request, and the refusal. */
function badRequests(name: string, stack: Stack): [string, Given, keyof typeof ERRORS, string?][] {
  const body = JSON.stringify(good[name]);
  const { publishableKey, dispatchSecret } = stack;
  const bySecret = { apikey: null, "x-dispatch-secret": dispatchSecret };
  return [
    ["GET", { method: "GET" }, "method_not_allowed"],
    ["DELETE", { method: "DELETE", body }, "method_not_allowed"],
    ["no key", { headers: { apikey: null }, body }, "unauthorized"],
    ["a wrong key", { headers: { apikey: "sb_secret_wrong" }, body }, "unauthorized"],
    ["the publishable key", { headers: { apikey: publishableKey }, body }, "unauthorized"],
    name === "dispatch"
      ? ["a wrong secret", { headers: { "x-dispatch-secret": "x" }, body }, "unauthorized"]
      : ["the dispatch secret", { headers: bySecret, body }, "unauthorized"],
    ["text", { headers: { "content-type": "text/plain" }, body }, "unsupported_media_type"],
    ["malformed JSON", { body: '{"a":' }, "bad_request"],
    ["an empty body", { body: "" }, "bad_request"],
    ["a list", { body: "[]" }, "bad_request", ""],
    ["null", { body: "null" }, "bad_request", ""],
    ["over a megabyte", { body: `{"a":"${"x".repeat(2 ** 20)}"}` }, "payload_too_large"],
    [
      "an unknown field",
      { body: JSON.stringify({ ...good[name] as object, color: CANARY }) },
      "bad_request",
      "color",
    ],
  ];
}

/** The refusal is of that kind and names the path, and says nothing of what was sent. */
function assertRefused(what: string, reply: Reply, code: keyof typeof ERRORS, path?: string): void {
  refused(reply, { status: ERRORS[code].status, code }, what);
  assert.doesNotMatch(JSON.stringify(reply.json), new RegExp(CANARY), what);
  if (path === undefined) return;
  const paths = reply.json.details.map((issue: { path: string }) => issue.path);
  assert.ok(paths.includes(path), `${what}: ${path} is not among ${paths}`);
}

Deno.test("bad input is refused by every endpoint and changes no row", async (t) => {
  // Without stand-ins nothing ticks, so that whatever changes was changed by these requests.
  await using stack = await testStack({ standIns: false });
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await using _closed = { [Symbol.asyncDispose]: () => sql.end() };
  await sql`insert into thoughts (content) select 'thought ' || n from generate_series(1, 5) n`;
  await post(stack, "enqueue", { tasks: Array(5).fill({ type: "spare" }) });
  const { json: held } = await post(stack, "claim", { worker_id: "owner", types: ["spare"] });
  await post(stack, "claim", { worker_id: "owner", work_type: "spare", limit: 2 });

  const unchanged = (what: string, requests: () => Promise<void>) =>
    t.step(what, async () => {
      const before = await contents(sql);
      await requests();
      assert.deepEqual(await contents(sql), before);
    });

  for (const name of POSTED) {
    await unchanged(name, async () => {
      for (const [what, given, code, path] of badRequests(name, stack)) {
        assertRefused(what, await send(stack, name, given), code, path);
      }
      const deeper = await post(stack, `${name}/all`, good[name]);
      assertRefused("a longer path", deeper, "not_found");
      for (const [what, body, path] of badBodies[name]) {
        assertRefused(what, await post(stack, name, body), "bad_request", path);
      }
    });
  }

  await unchanged("status", async () => {
    assertRefused("POST", await post(stack, "status", {}), "method_not_allowed");
    const keyless = { method: "GET", headers: { apikey: null } };
    assertRefused("no key", await send(stack, "status", keyless), "unauthorized");
  });

  await unchanged("bodies that only raw text can hold", async () => {
    const lone = `{"tasks":[{"type":"a","payload":"${LONE}"}]}`;
    const surrogate = await send(stack, "enqueue", { body: lone });
    assertRefused("a lone surrogate", surrogate, "bad_request", "tasks[0].payload");
    const ids = Array(1e6).fill(`"${UNKNOWN}"`).join();
    const body = `{"worker_id":"w","work_type":"x","thought_ids":[${ids}]}`;
    assertRefused("a million ids", await send(stack, "claim", { body }), "payload_too_large");
  });

  await unchanged("fences that hold nothing, or not that", async () => {
    const nobody = { fence: "999999" };
    assertRefused("renew", await post(stack, "renew", nobody), "lost");
    const rest = { ...nobody, rest: "succeeded" };
    assertRefused("release", await post(stack, "release", rest), "lost");
    const outcomes = [{ id: UNKNOWN, status: "succeeded" }];
    const foreign = { fence: held.fence, outcomes };
    assertRefused("what another holds", await post(stack, "release", foreign), "lost");
  });

  await t.step("an endpoint there is none of is 404", async () => {
    assert.equal((await post(stack, "unheard_of", {})).status, 404);
  });
});
