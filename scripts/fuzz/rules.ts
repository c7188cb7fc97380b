import { leakIn } from "./request.ts";
import type { Exchange } from "./send.ts";

/** What must hold, whatever is sent. */
export const RULES = {
  status: "every answer has a status that functions/openapi.json gives for its endpoint",
  shape:
    "every answer is the JSON it describes; errors are code, message, details, hint, request_id",
  foreseen: "no answer says that something unforeseen happened, or that something is missing",
  accepted: "nothing is accepted that functions/openapi.json does not allow",
  echo: "no answer holds what was sent, but where it is data that was asked for",
  logged: "no log holds what was sent, and the functions log nothing but their own lines",
  changed: "no refused call changes a row",
};
export type Rule = keyof typeof RULES;

/** Which rules an exchange breaks, and how. */
export function objections(exchange: Exchange): [Rule, string][] {
  const { request: { endpoint, method, allowed }, status, headers, text } = exchange;
  if (status === 0) return [["status", text]];
  const found: [Rule, string | null][] = [
    ["accepted", isAccepted(exchange) && !allowed ? `answered ${status}` : null],
    ["echo", echo(exchange)],
  ];
  if (method === "HEAD") {
    found.push(["status", status === 405 ? null : `answered ${status} to HEAD`]);
  } else {
    const answer = parsed(text);
    const objection = endpoint.objection(status, answer) ??
      (isAccepted(exchange) ? null : notTheErrorShape(answer, headers));
    found.push([/has no status/.test(objection ?? "") ? "status" : "shape", objection]);
    const code = (answer as { code?: string } | undefined)?.code;
    found.push(["foreseen", /^(internal|misconfigured)$/.test(code ?? "") ? text : null]);
  }
  return found.filter((one): one is [Rule, string] => one[1] !== null);
}

export function isAccepted({ status }: Exchange): boolean {
  return status >= 200 && status < 300;
}

const FIELDS = ["code", "message", "details", "hint", "request_id"];

function notTheErrorShape(answer: unknown, headers: Headers): string | null {
  const error = answer as Record<string, unknown>;
  const others = Object.keys(error).filter((key) => !FIELDS.includes(key));
  if (others.length > 0) return `an error with ${others.join(", ")}`;
  return error.request_id === headers.get("x-request-id")
    ? null
    : "request_id is not in the header";
}

/** What was stored comes back to who claims it, and worker ids are in the status. */
function echo({ request: { endpoint: { name } }, status, headers, text }: Exchange): string | null {
  const mayHoldData = status === 200 && ["claim", "release", "status"].includes(name);
  const said = [...mayHoldData ? [] : [text], ...[...headers].flat()].join("\n");
  const leak = leakIn(said);
  return leak && `answered ${status}: ${leak}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
