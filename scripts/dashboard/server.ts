import { ApiError } from "../../functions/_shared/errors.ts";
import { ACTIONS } from "./actions.ts";
import { bundlePage } from "./bundle.ts";
import { secretsOf, withoutSecrets } from "./confidential.ts";
import { documentOf, ICON } from "./document.ts";
import { isToken, newToken, refusalOf, SECURITY_HEADERS, TOKEN_HEADER } from "./guards.ts";
import { type Project, reach } from "./project.ts";
import { READS } from "./reads.ts";
import type { Redaction } from "./redact.ts";

export interface DashboardOptions {
  /** Where it is mounted; begins and ends with a slash. */
  base?: string;
  /** Names besides this machine's own that it answers to. */
  names?: string[];
  redaction?: Redaction;
}

/** A body of an action is a list of ids at most. */
const LONGEST_BODY = 100_000;

/**
 * The dashboard of a project as a function of requests. Browsers get the page and what the fixed
 * lists of reads and actions answer; the key never leaves.
 */
export function createDashboard(
  project: Project,
  { base = "/", names = [], redaction = [] }: DashboardOptions = {},
): (request: Request) => Promise<Response> {
  const reached = reach(project);
  const secrets = secretsOf(project);
  const token = newToken();
  // Made while the first reader's document travels.
  let bundle: ReturnType<typeof bundlePage> | undefined;

  return async (request) => {
    const refusal = refusalOf(request, names);
    if (refusal) return problem(403, "FORBIDDEN", refusal);
    const { pathname, searchParams } = new URL(request.url);
    if (`${pathname}/` === base) return redirect(base);
    if (!pathname.startsWith(base)) return problem(404, "NOT_FOUND", "Nothing is served here.");
    const [area, name, ...rest] = pathname.slice(base.length).split("/");
    if (rest.length > 0) return problem(404, "NOT_FOUND", "Nothing is served here.");
    if (area === "api") return await answerApi(request, name, searchParams);
    if (request.method !== "GET") return problem(405, "METHOD_NOT_ALLOWED", "GET this.");
    if (area === "" && name === undefined) {
      bundle ??= bundlePage();
      return respond(documentOf({ base, token }), "text/html; charset=utf-8");
    }
    if (area === "assets" && Object.hasOwn(ASSETS, name)) {
      const { part, type } = ASSETS[name];
      return respond(part === null ? ICON : (await (bundle ??= bundlePage()))[part], type);
    }
    return problem(404, "NOT_FOUND", "Nothing is served here.");
  };

  async function answerApi(request: Request, name: string, params: URLSearchParams) {
    try {
      if (request.method === "GET" && Object.hasOwn(READS, name)) {
        const { params: schema, answer } = READS[name];
        const parsed = schema.safeParse(Object.fromEntries(params));
        if (!parsed.success) throw ApiError.fromIssues(parsed.error);
        return json(await answer(reached, parsed.data, redaction));
      }
      if (request.method === "POST" && Object.hasOwn(ACTIONS, name)) {
        if (!isToken(request.headers.get(TOKEN_HEADER), token)) {
          return problem(403, "FORBIDDEN", "The page is of an earlier start: load it again.");
        }
        const { body: schema, act } = ACTIONS[name];
        const parsed = schema.safeParse(await readBody(request));
        if (!parsed.success) throw ApiError.fromIssues(parsed.error);
        return json({ done: await act(reached, parsed.data) });
      }
    } catch (thrown) {
      const { status, code, message, hint } = ApiError.from(thrown);
      return json({ code, message, hint }, status);
    }
    return problem(404, "NOT_FOUND", `There is no such thing to ${request.method}.`);
  }

  function json(value: unknown, status = 200): Response {
    return respond(withoutSecrets(JSON.stringify(value), secrets), "application/json", status);
  }
}

const ASSETS: Record<string, { part: "script" | "style" | null; type: string }> = {
  "main.js": { part: "script", type: "text/javascript; charset=utf-8" },
  "main.css": { part: "style", type: "text/css; charset=utf-8" },
  "icon.svg": { part: null, type: "image/svg+xml" },
};

async function readBody(request: Request): Promise<unknown> {
  const text = await request.text();
  if (text.length > LONGEST_BODY) throw new ApiError("payload_too_large");
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError("bad_request", "The body is not JSON.");
  }
}

function redirect(location: string): Response {
  return new Response(null, { status: 308, headers: { ...SECURITY_HEADERS, location } });
}

function problem(status: number, code: string, message: string): Response {
  return respond(JSON.stringify({ code, message }), "application/json", status);
}

function respond(body: string | Uint8Array<ArrayBuffer>, type: string, status = 200): Response {
  return new Response(body, { status, headers: { ...SECURITY_HEADERS, "content-type": type } });
}
