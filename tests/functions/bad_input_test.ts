// Everything a caller can get wrong, sent to the real thing: a clear refusal, and no row changed.
import assert from "node:assert/strict";
import postgres from "postgres";
import { contents } from "../support/contents.ts";
import { assertRefused, post, send } from "../support/endpoints.ts";
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
    ["waiting for a maybe", { wait: "yes" }, "wait"],
  ],
  dispatch: [
    ["a dispatch id that is none", { dispatch_id: "last" }, "dispatch_id"],
    ["a number as dispatch id", { dispatch_id: 5 }, "dispatch_id"],
  ],
};

Deno.test("bad input is refused by every endpoint and changes no row", async (t) => {
  await using stack = await testStack({ standIns: false });
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await using _closed = { [Symbol.asyncDispose]: () => sql.end() };
  await sql`insert into thoughts (content) select 'thought ' || n from generate_series(1, 5) n`;
  await post(stack, "enqueue", { tasks: Array(5).fill({ type: "spare" }) });
  await post(stack, "claim", { worker_id: "owner", types: ["spare"], limit: 2 });
  await post(stack, "claim", { worker_id: "owner", work_type: "spare", limit: 2 });
  let before = await contents(sql);

  /** The refusal is of that kind and names the path; nothing moved. */
  async function refuse(
    what: string,
    reply: Promise<Awaited<ReturnType<typeof post>>>,
    status: number,
    code: string,
    path?: string,
  ) {
    await t.step(`${what} → ${status}`, async () => {
      const got = await reply;
      assertRefused(got, { status, code });
      if (path !== undefined) {
        const paths = got.json.details.map((issue: { path: string }) => issue.path);
        assert.ok(paths.includes(path), `${path} is not among ${paths}`);
      }
      assert.doesNotMatch(JSON.stringify(got.json), new RegExp(CANARY));
      const after = await contents(sql);
      assert.deepEqual(after, before);
      before = after;
    });
  }

  for (const name of POSTED) {
    const body = JSON.stringify(good[name]);
    const sent = (given: Parameters<typeof send>[2]) => send(stack, name, { body, ...given });
    await refuse(
      `${name} with GET`,
      send(stack, name, { method: "GET" }),
      405,
      "method_not_allowed",
    );
    await refuse(`${name} with DELETE`, sent({ method: "DELETE" }), 405, "method_not_allowed");
    await refuse(
      `${name} one level deeper`,
      send(stack, `${name}/all`, { body }),
      404,
      "not_found",
    );
    await refuse(`${name} without key`, sent({ headers: { apikey: null } }), 401, "unauthorized");
    await refuse(
      `${name} with a wrong key`,
      sent({ headers: { apikey: "sb_secret_wrong" } }),
      401,
      "unauthorized",
    );
    await refuse(
      `${name} with the publishable key`,
      sent({ headers: { apikey: stack.publishableKey } }),
      401,
      "unauthorized",
    );
    if (name !== "dispatch") {
      const headers = { apikey: null, "x-dispatch-secret": stack.dispatchSecret };
      await refuse(`${name} with the dispatch secret`, sent({ headers }), 401, "unauthorized");
    }
    await refuse(
      `${name} as text`,
      sent({ headers: { "content-type": "text/plain" } }),
      415,
      "unsupported_media_type",
    );
    await refuse(`${name} with malformed JSON`, sent({ body: '{"a":' }), 400, "bad_request");
    await refuse(`${name} with an empty body`, sent({ body: "" }), 400, "bad_request");
    await refuse(`${name} with a list`, sent({ body: "[]" }), 400, "bad_request", "");
    await refuse(`${name} with null`, sent({ body: "null" }), 400, "bad_request", "");
    await refuse(
      `${name} over a megabyte`,
      sent({ body: `{"a":"${"x".repeat(2 ** 20)}"}` }),
      413,
      "payload_too_large",
    );
    const extended = JSON.stringify({ ...good[name] as object, color: CANARY });
    await refuse(
      `${name} with an unknown field`,
      sent({ body: extended }),
      400,
      "bad_request",
      "color",
    );
    for (const [what, bad, path] of badBodies[name]) {
      await refuse(`${name} with ${what}`, post(stack, name, bad), 400, "bad_request", path);
    }
  }

  const lone = `{"tasks":[{"type":"a","payload":"${LONE}"}]}`;
  await refuse(
    "enqueue with a lone surrogate",
    send(stack, "enqueue", { body: lone }),
    400,
    "bad_request",
    "tasks[0].payload",
  );
  const million = `{"worker_id":"w","work_type":"x","thought_ids":[${
    Array(1e6).fill(`"${UNKNOWN}"`).join()
  }]}`;
  await refuse(
    "claim of a million ids",
    send(stack, "claim", { body: million }),
    413,
    "payload_too_large",
  );
  await refuse("status with POST", post(stack, "status", {}), 405, "method_not_allowed");
  await refuse(
    "status without key",
    send(stack, "status", { method: "GET", headers: { apikey: null } }),
    401,
    "unauthorized",
  );
  const wrongSecret = { apikey: null, "x-dispatch-secret": `${stack.dispatchSecret}x` };
  await refuse(
    "dispatch with a wrong secret",
    send(stack, "dispatch", { headers: wrongSecret, body: "{}" }),
    401,
    "unauthorized",
  );
  await refuse(
    "renew of a fence nobody has",
    post(stack, "renew", { fence: "999999" }),
    409,
    "lost",
  );
  await refuse(
    "release of a fence nobody has",
    post(stack, "release", { fence: "999999", rest: "succeeded" }),
    409,
    "lost",
  );
  const [{ fence: own }] = await sql`select fence::text from dibs.lease`;
  const foreign = { fence: own, outcomes: [{ id: UNKNOWN, status: "succeeded" }] };
  await refuse("release of what another fence holds", post(stack, "release", foreign), 409, "lost");
  await t.step("an unknown endpoint → 404", async () => {
    assert.equal((await post(stack, "unheard_of", {})).status, 404);
  });
});
