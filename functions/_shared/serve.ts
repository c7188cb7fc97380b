import type { z } from "zod";
import { requireSecretKey } from "./auth.ts";
import { readJson } from "./body.ts";
import { ApiError } from "./errors.ts";
import { jsonLog, type Log, type LogFields } from "./log.ts";
import { functionRpc, type Rpc } from "./rpc.ts";

/** What an endpoint's handler is given: the parsed body and the database. */
export interface Call<Body> {
  body: Body;
  request: Request;
  rpc: Rpc;
  log: Log;
  requestId: string;
}

/** What it gives back. `facts` go into the log line of the request; never put content there. */
export interface Answer {
  status?: 200 | 202;
  body: unknown;
  /** Of a body that is text and not JSON. */
  contentType?: string;
  retryAfterSeconds?: number;
  facts?: LogFields;
}

export interface EndpointOptions<Schema extends z.ZodType> {
  /** The last part of the path, also the name of the function. */
  name: string;
  method?: "GET" | "POST";
  request?: Schema;
  authorize?(request: Request): Promise<void>;
  /** Where the database is reached; tests give one that is not there. */
  connect?(): Rpc;
}

/**
 * An endpoint as `export default`: path, method, caller and body are checked in this order, then the
 * handler runs, and whatever it throws becomes the one error shape.
 */
export function endpoint<Schema extends z.ZodType>(
  options: EndpointOptions<Schema>,
  handler: (call: Call<z.output<Schema>>) => Promise<Answer>,
): { fetch(request: Request): Promise<Response> } {
  return {
    async fetch(request) {
      const started = performance.now();
      const requestId = requestIdOf(request);
      const log = jsonLog({ endpoint: options.name, request_id: requestId });
      const { response, facts } = await answer(request, requestId, log);
      log.info("request", {
        method: request.method,
        status: response.status,
        duration_ms: Math.round(performance.now() - started),
        ...facts,
      });
      return response;
    },
  };

  async function answer(request: Request, requestId: string, log: Log) {
    try {
      await admit(request, options);
      const body = await parse(request, options.request);
      const rpc = (options.connect ?? functionRpc)();
      const { status = 200, ...answered } = await handler({
        body,
        request,
        rpc,
        log,
        requestId,
      });
      const headers = {
        ...retryAfter(answered.retryAfterSeconds),
        ...(answered.contentType && { "content-type": answered.contentType }),
      };
      return {
        response: respond(status, answered.body, requestId, headers),
        facts: answered.facts,
      };
    } catch (thrown) {
      const error = ApiError.from(thrown);
      if (error.code === "internal") log.error("unforeseen", { error: nameOf(error.cause) });
      const response = respond(
        error.status,
        error.body(requestId),
        requestId,
        headersOf(error, options),
      );
      return { response, facts: { code: error.code } };
    }
  }
}

async function admit<S extends z.ZodType>(
  request: Request,
  options: EndpointOptions<S>,
): Promise<void> {
  const path = new URL(request.url).pathname.replace(/^\/functions\/v1(?=\/)/, "");
  if (path !== `/${options.name}`) {
    throw new ApiError("not_found", `There is no endpoint at this path.`);
  }
  const method = options.method ?? "POST";
  if (request.method !== method) {
    throw new ApiError("method_not_allowed", `Call ${options.name} with ${method}.`);
  }
  await (options.authorize ?? requireSecretKey)(request);
}

async function parse<S extends z.ZodType>(request: Request, schema?: S): Promise<z.output<S>> {
  if (!schema) return undefined as z.output<S>;
  const parsed = check(schema, await readJson(request));
  if (!parsed.success) throw ApiError.fromIssues(parsed.error);
  return parsed.data;
}

/** zod compares the length of whatever has one, text or not, and throws when that is no length at all. */
function check<S extends z.ZodType>(schema: S, json: unknown): z.ZodSafeParseResult<z.output<S>> {
  try {
    return schema.safeParse(json);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ApiError("bad_request", "There is an object where text or a list belongs.");
  }
}

function respond(
  status: number,
  body: unknown,
  requestId: string,
  headers: Record<string, string> = {},
): Response {
  const init = { status, headers: { "x-request-id": requestId, ...headers } };
  return "content-type" in headers ? new Response(body as string, init) : Response.json(body, init);
}

function headersOf<S extends z.ZodType>(
  error: ApiError,
  options: EndpointOptions<S>,
): Record<string, string> {
  return {
    ...retryAfter(error.retryAfterSeconds),
    ...(error.status === 405 && { allow: options.method ?? "POST" }),
  };
}

function retryAfter(seconds?: number): Record<string, string> {
  return seconds ? { "retry-after": String(Math.ceil(seconds)) } : {};
}

/** A caller's own id is kept when it is fit for a header and a log. */
function requestIdOf(request: Request): string {
  const given = request.headers.get("x-request-id") ?? "";
  return /^[\w.:-]{1,100}$/.test(given) ? given : crypto.randomUUID();
}

/** The message of what was thrown may quote content; its name does not. */
function nameOf(thrown: unknown): string {
  return thrown instanceof Error
    ? `${thrown.name} ${thrown.stack?.split("\n")[1]?.trim() ?? ""}`
    : typeof thrown;
}
