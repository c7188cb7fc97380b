import type { Draft } from "./draft.ts";
import type { Endpoint } from "./endpoints.ts";
import type { AtHand } from "./stock.ts";
import { CANARY, NUMERIC_CANARY } from "./texts.ts";

/** A request as it is sent. */
export interface Request extends Omit<Draft, "body" | "encode"> {
  /** Its number, which its canaries have. */
  n: number;
  endpoint: Endpoint;
  body: Uint8Array<ArrayBuffer> | null;
  /** Whether the description of the endpoint allows it. */
  allowed: boolean;
}

const CANARIES = /xq7canary([0-9a-z]{7})/gi;
const WITHOUT_BODY = ["GET", "HEAD"];
const LARGEST = 1024 * 1024;

/** Puts the number and what the database has at hand into a draft. */
export function requestOf(draft: Draft, n: number, endpoint: Endpoint, atHand: AtHand): Request {
  const canary = `xq7canary${n.toString(36).padStart(7, "0")}`;
  const fill = (text: string) => text.replaceAll(CANARY, canary);
  const hasBody = draft.body !== null && !WITHOUT_BODY.includes(draft.method);
  const request = {
    n,
    endpoint,
    method: draft.method,
    path: fill(draft.path),
    headers: Object.fromEntries(
      Object.entries(draft.headers).map(([name, value]) => [name, fill(value)]),
    ),
    body: hasBody ? draft.encode(filled(fill(draft.body!), atHand)) : null,
  };
  return { ...request, allowed: isAllowed(request) };
}

/** The numbers of the requests whose canaries are in a text. */
export function canariesIn(text: string): number[] {
  return [...text.matchAll(CANARIES)].map(([, n]) => parseInt(n, 36));
}

/** The passage of a text that was in some request, if there is one. */
export function leakIn(text: string): string | null {
  const found = [text.search(CANARIES), text.indexOf(NUMERIC_CANARY)].filter((at) => at >= 0);
  if (found.length === 0) return null;
  const at = Math.min(...found);
  return text.slice(Math.max(0, at - 150), at + 150);
}

/** For people: enough of it to know it again. */
export function describe({ n, endpoint, method, path, headers, body }: Request): string {
  const text = body && new TextDecoder().decode(body.subarray(0, 600));
  const shown = { n, headers, body: text, bytes: body?.length };
  return `${method} /${endpoint.name}${path.slice(0, 100)} ${JSON.stringify(shown)}`;
}

function filled(text: string, { fences, ids }: AtHand): string {
  return text.replace(/@(fence|id) (\d+)@/g, (_, what, n) => (what === "id" ? ids : fences)[n]);
}

function isAllowed({ endpoint, method, path, headers, body }: Omit<Request, "allowed">): boolean {
  if (method !== endpoint.method || !/^($|\?)/.test(path)) return false;
  if (!endpoint.bodies) return true;
  const type = headers["content-type"].split(";")[0].trim().toLowerCase();
  const encoding = headers["content-encoding"] ?? "identity";
  if (type !== "application/json" || encoding !== "identity") return false;
  return body !== null && body.length <= LARGEST && endpoint.allows(valueOf(body));
}

/** Undefined where it is no JSON, which no endpoint allows. */
function valueOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}
