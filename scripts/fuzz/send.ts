import type { Stack } from "../stack/stack.ts";
import type { Request } from "./request.ts";

/** What was sent, and what came back. */
export interface Exchange {
  request: Request;
  /** 0 when nothing came. */
  status: number;
  headers: Headers;
  text: string;
  ms: number;
}

const AT_ONCE = 16;
/** Longer than anything may take, on a machine that has much else to do. */
const PATIENCE_MS = 120_000;

/** Sends all of them, many at a time. */
export async function sendAll(
  stack: Pick<Stack, "url" | "secretKey">,
  requests: Request[],
  signal: AbortSignal,
): Promise<Exchange[]> {
  const exchanges: Exchange[] = [];
  const rest = requests.values();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (const request of rest) {
      signal.throwIfAborted();
      exchanges.push(await send(stack, request));
    }
  }));
  return exchanges;
}

async function send(
  { url, secretKey }: Pick<Stack, "url" | "secretKey">,
  request: Request,
): Promise<Exchange> {
  const { endpoint, method, path, headers, body } = request;
  const began = performance.now();
  try {
    const response = await fetch(`${url}/functions/v1/${endpoint.name}${path}`, {
      method,
      headers: { apikey: secretKey, ...headers },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const text = await response.text();
    const ms = performance.now() - began;
    return { request, status: response.status, headers: response.headers, text, ms };
  } catch (error) {
    const ms = performance.now() - began;
    return { request, status: 0, headers: new Headers(), text: String(error), ms };
  }
}
