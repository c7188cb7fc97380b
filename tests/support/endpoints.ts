import assert from "node:assert/strict";
import { ErrorBody } from "../../functions/_shared/schemas.ts";

export interface Callable {
  url: string;
  secretKey: string;
}

export interface Reply {
  status: number;
  // deno-lint-ignore no-explicit-any -- tests look into whatever came
  json: any;
  headers: Headers;
}

/** Posts to an endpoint as a client that knows nothing but HTTP. */
export async function post(stack: Callable, name: string, body: unknown): Promise<Reply> {
  return await send(stack, name, { body: JSON.stringify(body) });
}

/** Sends whatever a test wants sent; a header of null is left out. */
export async function send(
  { url, secretKey }: Callable,
  name: string,
  { method = "POST", headers = {}, body }: {
    method?: string;
    headers?: Record<string, string | null>;
    body?: BodyInit;
  },
): Promise<Reply> {
  const all = { apikey: secretKey, "content-type": "application/json", ...headers };
  const sent = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null);
  const response = await fetch(`${url}/functions/v1/${name}`, { method, headers: sent, body });
  return { status: response.status, json: await response.json(), headers: response.headers };
}

/** The reply is a refusal of this kind, in the one shape errors have. */
export function assertRefused(
  { status, json, headers }: Reply,
  wanted: { status: number; code: string },
  what = "",
): void {
  assert.deepEqual({ status, code: json.code }, wanted, `${what} ${JSON.stringify(json)}`);
  assert.deepEqual(Object.keys(ErrorBody.parse(json)).sort(), Object.keys(json).sort());
  assert.equal(json.request_id, headers.get("x-request-id"));
}
