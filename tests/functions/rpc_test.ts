// The typed client, against a data API that answers as told.
import assert from "node:assert/strict";
import { remoteRpc, type Rpc } from "../../functions/_shared/rpc.ts";
import { FakeClock } from "../support/fake_clock.ts";

const impatient = Object.assign(new FakeClock(), { sleep: () => Promise.resolve() });

/** A client whose requests are answered in turn; the last answer stays. */
async function withAnswers(
  answers: (() => Response | Promise<Response>)[],
  use: (rpc: Rpc, requests: { path: string; body: unknown }[]) => Promise<void>,
  timeoutMs = 5_000,
): Promise<void> {
  const requests: { path: string; body: unknown }[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      requests.push({ path: new URL(request.url).pathname, body: await request.json() });
      return await answers[Math.min(requests.length, answers.length) - 1]();
    },
  );
  try {
    await use(
      remoteRpc(`http://127.0.0.1:${server.addr.port}`, "sb_secret_x", {
        clock: impatient,
        timeoutMs,
      }),
      requests,
    );
  } finally {
    await server.shutdown();
  }
}

const busy = () => Response.json({ code: "40001", message: "busy" }, { status: 500 });
const settled = () => Response.json({ settled: 3, lost: [] });
const settle = { p_fence: "1", p_outcomes: [], p_rest: "succeeded" };

Deno.test("a call sends named arguments and gives back what the schema says", async () => {
  await withAnswers([settled], async (rpc, requests) => {
    assert.deepEqual(await rpc.call("settle_lease", settle), { settled: 3, lost: [] });
    assert.deepEqual(requests, [{ path: "/rest/v1/rpc/settle_lease", body: settle }]);
  });
});

Deno.test("a call with a request id is repeated as it was until the database answers", async () => {
  await withAnswers([busy, busy, settled], async (rpc, requests) => {
    await rpc.call("settle_lease", { ...settle, p_request_id: "r" });
    assert.equal(requests.length, 3);
    assert.ok(
      requests.every(({ body }) => (body as { p_request_id: string }).p_request_id === "r"),
    );
  });
});

Deno.test("it gives up after three times", async () => {
  await withAnswers([busy], async (rpc, requests) => {
    await assert.rejects(rpc.call("settle_lease", { ...settle, p_request_id: "r" }), {
      code: "unavailable",
    });
    assert.equal(requests.length, 3);
  });
});

Deno.test("a call that must not be doubled is sent once", async () => {
  const effect = { p_fence: "1", p_id: crypto.randomUUID(), p_key: "k", p_mode: "at_most_once" };
  await withAnswers([busy], async (rpc, requests) => {
    await assert.rejects(rpc.call("settle_lease", settle), { code: "unavailable" });
    await assert.rejects(rpc.call("effect_begin", effect), { code: "unavailable" });
    assert.equal(requests.length, 2);
  });
});

Deno.test("a function of yours is repeated until it answers, and gives what it gave", async () => {
  await withAnswers([busy, () => Response.json({ any: ["thing"] })], async (rpc, requests) => {
    assert.deepEqual(await rpc.callYours("write_letter", { p_text: "x" }), { any: ["thing"] });
    assert.equal(requests.length, 2);
    assert.deepEqual(requests[1], { path: "/rest/v1/rpc/write_letter", body: { p_text: "x" } });
  });
});

Deno.test("a refusal is not repeated", async () => {
  const refusal = () =>
    Response.json({ code: "PT400", message: "p_limit must be less" }, { status: 400 });
  await withAnswers([refusal], async (rpc, requests) => {
    const call = rpc.call("settle_lease", { ...settle, p_request_id: "r" });
    await assert.rejects(call, { code: "bad_request", message: "limit must be less" });
    assert.equal(requests.length, 1);
  });
});

Deno.test("an answer of another version is an error that says so", async () => {
  await withAnswers([() => Response.json([{ done: true }])], async (rpc) => {
    await assert.rejects(rpc.call("settle_lease", settle), { code: "misconfigured" });
  });
});

Deno.test("a database that never answers is given up after the timeout", async () => {
  const late = Promise.withResolvers<Response>();
  await withAnswers([() => late.promise], async (rpc) => {
    await assert.rejects(rpc.call("settle_lease", settle), { code: "unavailable" });
    late.resolve(settled());
  }, 50);
});

Deno.test("an aborted call ends at once and is not repeated", async () => {
  const abort = new AbortController();
  const late = Promise.withResolvers<Response>();
  await withAnswers([() => {
    abort.abort();
    return late.promise;
  }], async (rpc, requests) => {
    const call = rpc.call("settle_lease", { ...settle, p_request_id: "r" }, {
      signal: abort.signal,
    });
    await assert.rejects(call, { code: "unavailable" });
    assert.equal(requests.length, 1);
    late.resolve(settled());
  });
});

Deno.test("moments and lists come the same from every data API", async () => {
  const row = {
    id: crypto.randomUUID(),
    type: "t",
    payload: { big: "x" },
    attempt: 1,
    max_attempts: 5,
    fence: "7",
    lease_expires_at: "2026-11-21 19:19:18.728055+00",
    lease_ms: 60_000,
    added_by_a_newer_version: true,
  };
  const claim = { p_worker_id: "w", p_types: null, p_limit: 1, p_lease_seconds: 60 };
  await withAnswers([() => Response.json([row])], async (rpc) => {
    const [task] = await rpc.call("claim_tasks", claim);
    assert.equal(task.lease_expires_at, "2026-11-21T19:19:18.728055+00:00");
    assert.ok(!("added_by_a_newer_version" in task));
  });
});
