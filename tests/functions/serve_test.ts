// The frame around every endpoint, without a server: requests in, responses out.
import assert from "node:assert/strict";
import { z } from "zod";
import { LARGEST_BODY, LARGEST_TAKEN } from "../../functions/_shared/body.ts";
import { ApiError } from "../../functions/_shared/errors.ts";
import type { Rpc } from "../../functions/_shared/rpc.ts";
import { endpoint } from "../../functions/_shared/serve.ts";

const SECRET = "sb_secret_test";
Deno.env.set("SUPABASE_URL", "http://127.0.0.1:1");
Deno.env.set("SUPABASE_SECRET_KEYS", JSON.stringify({ default: SECRET, other: "sb_secret_other" }));
Deno.env.set("SUPABASE_PUBLISHABLE_KEYS", JSON.stringify({ default: "sb_publishable_test" }));

const app = endpoint({
  name: "echo",
  request: z.strictObject({ text: z.string().max(100) }),
  connect: () => ({}) as Rpc,
}, ({ body }) => {
  if (body.text === "throw") throw new Error("sk-SECRET");
  if (body.text === "wait") {
    throw new ApiError("rate_limited", undefined, { retryAfterSeconds: 6.2 });
  }
  return Promise.resolve({ status: 202 as const, body: { said: body.text } });
});

interface Given {
  path?: string;
  method?: string;
  headers?: Record<string, string | undefined>;
  body?: BodyInit | null;
}

/** The response, and the log line the request left. */
async function send(
  { path = "/echo", method = "POST", headers, body = '{"text": "hello"}' }: Given = {},
) {
  const all = { apikey: SECRET, "content-type": "application/json", ...headers };
  const kept = Object.entries(all).filter((header): header is [string, string] =>
    header[1] !== undefined
  );
  const lines: string[] = [];
  const [log, error] = [console.log, console.error];
  console.log = console.error = (line: string) => lines.push(line);
  try {
    const response = await app.fetch(
      new Request(`http://host${path}`, {
        method,
        headers: kept,
        body: method === "GET" ? null : body,
      }),
    );
    return { response, json: await response.json(), lines };
  } finally {
    [console.log, console.error] = [log, error];
  }
}

Deno.test("a good request is answered, with its id in the header and in one line of log", async () => {
  const { response, json, lines } = await send({ headers: { "x-request-id": "mine-1" } });
  assert.equal(response.status, 202);
  assert.deepEqual(json, { said: "hello" });
  assert.equal(response.headers.get("x-request-id"), "mine-1");
  assert.equal(lines.length, 1);
  const line = JSON.parse(lines[0]);
  assert.deepEqual([line.endpoint, line.status, line.request_id], ["echo", 202, "mine-1"]);
  assert.doesNotMatch(lines[0], /hello/);
});

Deno.test("the gateway's prefix on the path makes no difference", async () => {
  assert.equal((await send({ path: "/functions/v1/echo" })).response.status, 202);
});

Deno.test("a request id unfit for a header is replaced", async () => {
  const { json, response } = await send({ headers: { "x-request-id": "a b" }, body: "{" });
  assert.match(json.request_id, /^[0-9a-f-]{36}$/);
  assert.equal(response.headers.get("x-request-id"), json.request_id);
});

const refusals: [string, Given, number, string][] = [
  ["a longer path", { path: "/echo/more" }, 404, "not_found"],
  ["another path", { path: "/other" }, 404, "not_found"],
  ["a wrong method", { method: "PUT" }, 405, "method_not_allowed"],
  ["a preflight", { method: "OPTIONS" }, 405, "method_not_allowed"],
  ["no key", { headers: { apikey: undefined } }, 401, "unauthorized"],
  ["a wrong key", { headers: { apikey: "sb_secret_wrong" } }, 401, "unauthorized"],
  ["a key of another name", { headers: { apikey: "sb_secret_other" } }, 401, "unauthorized"],
  ["a publishable key", { headers: { apikey: "sb_publishable_test" } }, 401, "unauthorized"],
  [
    "the key as a bearer token",
    { headers: { apikey: undefined, authorization: `Bearer ${SECRET}` } },
    401,
    "unauthorized",
  ],
  [
    "the dispatch secret",
    { headers: { apikey: undefined, "x-dispatch-secret": "s" } },
    401,
    "unauthorized",
  ],
  ["no content type", { headers: { "content-type": undefined } }, 415, "unsupported_media_type"],
  [
    "a form",
    { headers: { "content-type": "application/x-www-form-urlencoded" } },
    415,
    "unsupported_media_type",
  ],
  ["a compressed body", { headers: { "content-encoding": "gzip" } }, 415, "unsupported_media_type"],
  ["no body", { body: null }, 400, "bad_request"],
  ["malformed JSON", { body: '{"text": ' }, 400, "bad_request"],
  ["bytes that are no UTF-8", { body: new Uint8Array([0x22, 0xff, 0x22]) }, 400, "bad_request"],
  ["an unknown field", { body: '{"text": "a", "more": 1}' }, 400, "bad_request"],
  ["a missing field", { body: "{}" }, 400, "bad_request"],
  [
    "an object whose length cannot be compared",
    { body: '{"text": {"length": {"toString": 1}}}' },
    400,
    "bad_request",
  ],
  ["brackets a hundred thousand deep", { body: "[".repeat(100_000) }, 400, "bad_request"],
  ["a body over the limit", { body: `"${"x".repeat(LARGEST_BODY)}"` }, 413, "payload_too_large"],
];
for (const [what, given, status, code] of refusals) {
  Deno.test(`${what} is answered ${status} in the one shape of errors`, async () => {
    const { response, json } = await send(given);
    assert.deepEqual([response.status, json.code], [status, code]);
    assert.ok(json.message.length > 10);
    assert.equal(json.request_id, response.headers.get("x-request-id"));
    assert.equal(response.headers.get("access-control-allow-origin"), null);
  });
}

Deno.test("405 names the method that is right", async () => {
  assert.equal((await send({ method: "GET" })).response.headers.get("allow"), "POST");
});

Deno.test("who may not call learns nothing about the body", async () => {
  const { response } = await send({ headers: { apikey: undefined }, body: "{" });
  assert.equal(response.status, 401);
});

Deno.test("a body without end is cut off, not read for ever", async () => {
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      sent += 65_536;
      controller.enqueue(new Uint8Array(65_536).fill(0x20));
    },
  });
  const { response } = await send({ body: endless });
  assert.equal(response.status, 413);
  assert.ok(sent < LARGEST_TAKEN + 5 * 65_536, `${sent} bytes were taken`);
});

Deno.test("a body that breaks off is the sender's fault, and alarms nobody", async () => {
  const broken = new ReadableStream({
    pull(controller) {
      controller.error(new TypeError("connection reset by 203.0.113.9"));
    },
  });
  const { response, json, lines } = await send({ body: broken });
  assert.deepEqual([response.status, json.code], [400, "bad_request"]);
  assert.deepEqual(lines.map((line) => JSON.parse(line).level), ["info"]);
});

Deno.test("400 lists every bad field", async () => {
  const { json } = await send({ body: '{"text": 5, "more": 1}' });
  assert.deepEqual(json.details.map(({ path }: { path: string }) => path), ["text", "more"]);
});

Deno.test("when to come again stands in retry-after", async () => {
  const { response } = await send({ body: '{"text": "wait"}' });
  assert.deepEqual([response.status, response.headers.get("retry-after")], [429, "7"]);
});

Deno.test("a handler that throws is answered 503, and neither answer nor log tells what it said", async () => {
  const { response, json, lines } = await send({ body: '{"text": "throw"}' });
  assert.deepEqual([response.status, json.code], [503, "internal"]);
  assert.doesNotMatch(JSON.stringify(json) + lines.join(""), /SECRET/);
});
