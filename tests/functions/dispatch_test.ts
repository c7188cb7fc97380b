import assert from "node:assert/strict";
import postgres from "postgres";
import { startDrains } from "../../functions/_shared/dispatch.ts";
import { DispatchResponse, PlannedDrain } from "../../functions/_shared/schemas.ts";
import { post, send } from "../support/endpoints.ts";
import { eventually } from "../support/eventually.ts";
import { sharedStack } from "../support/stack.ts";

const PACE = { batch: 20, lease_seconds: 60, linger_seconds: 1 };
const log = { info() {}, error() {}, with: () => log };

/** A project whose drain endpoint answers as told; drains are started against it. */
async function withDrain(
  answer: () => Response,
  use: (requests: { apikey: string | null; body: unknown }[]) => Promise<void>,
) {
  const requests: { apikey: string | null; body: unknown }[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      assert.equal(new URL(request.url).pathname, "/functions/v1/drain");
      requests.push({ apikey: request.headers.get("apikey"), body: await request.json() });
      return answer();
    },
  );
  Deno.env.set("SUPABASE_URL", `http://127.0.0.1:${server.addr.port}`);
  Deno.env.set("SUPABASE_SECRET_KEYS", '{"default": "sb_secret_x"}');
  try {
    await use(requests);
  } finally {
    Deno.env.delete("SUPABASE_URL");
    Deno.env.delete("SUPABASE_SECRET_KEYS");
    await server.shutdown();
  }
}

const accepted = () => Response.json({ run_id: "x" }, { status: 202 });

Deno.test("each planned drain is one call with the secret key, naming its work", async () => {
  await withDrain(accepted, async (requests) => {
    const started = await startDrains(
      [
        { types: ["a", "b"] },
        { types: null },
        { work_type: "x" },
        { work_type: "x", source: "documents" },
      ].map((work) => PlannedDrain.parse({ ...PACE, ...work })),
      log,
    );
    assert.equal(started, 4);
    assert.ok(requests.every(({ apikey }) => apikey === "sb_secret_x"));
    const bodies = new Set(requests.map(({ body }) => body));
    assert.deepEqual(
      bodies,
      new Set([
        { ...PACE, types: ["a", "b"] },
        PACE,
        { ...PACE, work_type: "x" },
        { ...PACE, work_type: "x", source: "documents" },
      ]),
    );
  });
});

Deno.test("drains that are refused or unreachable are not counted as started", async () => {
  await withDrain(() => Response.json({}, { status: 503 }), async () => {
    assert.equal(await startDrains([PACE, PACE], log), 0);
  });
  Deno.env.set("SUPABASE_URL", "http://127.0.0.1:1");
  Deno.env.set("SUPABASE_SECRET_KEYS", '{"default": "sb_secret_x"}');
  assert.equal(await startDrains([PACE], log), 0);
});

Deno.test("the platform's limit on function calls becomes 429 with the time to wait", async () => {
  const real = globalThis.fetch;
  const limit = Object.assign(new Error("too many"), {
    name: "RateLimitError",
    retryAfterMs: 6_500,
  });
  globalThis.fetch = () => Promise.reject(limit);
  try {
    const refused = startDrains([PACE], log);
    await assert.rejects(refused, { status: 429, code: "rate_limited", retryAfterSeconds: 6.5 });
  } finally {
    globalThis.fetch = real;
  }
});

Deno.test("dispatch opens with its own secret or the secret key, and answers counts only", async () => {
  const stack = sharedStack();
  const headers = { apikey: null, "x-dispatch-secret": stack.dispatchSecret };
  const replies = [
    await post(stack, "dispatch", {}),
    await send(stack, "dispatch", { headers, body: "{}" }),
  ];
  for (const { status, json } of replies) {
    assert.equal(status, 202);
    assert.deepEqual(Object.keys(DispatchResponse.parse(json)).sort(), Object.keys(json).sort());
  }
});

Deno.test("a backlog is worked on by what dispatch started", async () => {
  const stack = sharedStack();
  const task = (n: number) => ({
    type: "generate_care_plan",
    payload: {
      email: `dispatch${n}@example.org`,
      transcript: "I walk.",
      session_id: "s",
      blueprint_id: "b",
      host_url: "https://care.example.org",
    },
  });
  const { json } = await post(stack, "enqueue", { tasks: [1, 2, 3].map(task) });
  await post(stack, "dispatch", {});
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await using _closed = { [Symbol.asyncDispose]: () => sql.end() };
  const ids = json.tasks.map(({ id }: { id: string }) => id);
  await eventually("all three completed", async () => {
    const rows = await sql`select from tasks where status = 'completed' and id in ${sql(ids)}`;
    return rows.length === 3;
  });
});
