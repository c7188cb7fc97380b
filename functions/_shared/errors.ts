import type { z } from "zod";
import { type Issue, issuesOf } from "./issues.ts";
import type { ErrorBody } from "./schemas.ts";

interface Kind {
  status: 400 | 401 | 404 | 405 | 409 | 413 | 415 | 422 | 429 | 503;
  /** What of the database and its API leads here: whole codes, or the two characters of a class. */
  from: string[];
  message: string;
}

/** The one table: our code → HTTP status ← SQLSTATE. The most specific entry of `from` wins. */
export const ERRORS = {
  bad_request: kind(400, ["PT400", "22", "54"], "The database refuses a value of this call."),
  unauthorized: kind(401, [], "Send a secret key of the project in the header apikey."),
  not_found: kind(404, ["PT404", "P0002"], "There is no such thing."),
  method_not_allowed: kind(405, [], "This endpoint does not know that method."),
  lost: kind(
    409,
    [],
    "The lease is lost: it ended, or somebody else has it. Stop this work and claim again.",
  ),
  superseded: kind(
    409,
    [],
    "The row was edited after it was claimed, so this is about old content. Claim it again.",
  ),
  conflict: kind(409, ["PT409", "23505", "23503"], "It contradicts what is stored."),
  payload_too_large: kind(413, ["PT413"], "The body is too large: send less at once."),
  unsupported_media_type: kind(415, [], "Send the body as content-type application/json."),
  unprocessable: kind(422, ["PT422", "P0001", "23"], "The database's rules forbid it."),
  rate_limited: kind(429, ["PT429"], "Too much at once: wait, then send it again."),
  unavailable: kind(
    503,
    [
      "PT503",
      "08",
      "40",
      "53",
      "55",
      "57",
      "58",
      "PGRST000",
      "PGRST001",
      "PGRST002",
      "PGRST003",
      "SUP",
    ],
    "The database did not answer in time or is busy: send it again.",
  ),
  misconfigured: kind(
    503,
    ["28", "3F", "42", "PGRST"],
    "Dibs is not set up completely here: apply its migrations (supabase db push) and check the keys.",
  ),
  internal: kind(503, [], "Something unforeseen happened; the logs name it by this request id."),
} satisfies Record<string, Kind>;

export type ErrorCode = keyof typeof ERRORS;

const RETRYABLE: readonly ErrorCode[] = ["unavailable", "rate_limited"];

interface Extras {
  details?: unknown;
  hint?: string;
  retryAfterSeconds?: number;
  cause?: unknown;
}

/** Every refusal of ours: knows its status, its code, and says the mend. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: Kind["status"];
  readonly details?: unknown;
  readonly hint?: string;
  readonly retryAfterSeconds?: number;

  constructor(
    readonly code: ErrorCode,
    message: string = ERRORS[code].message,
    extras: Extras = {},
  ) {
    super(message, { cause: extras.cause });
    this.status = ERRORS[code].status;
    this.details = extras.details;
    this.hint = extras.hint;
    this.retryAfterSeconds = extras.retryAfterSeconds ?? (this.retryable ? 2 : undefined);
  }

  /** Whether the same call may succeed a little later. */
  get retryable(): boolean {
    return RETRYABLE.includes(this.code);
  }

  body(requestId: string): ErrorBody {
    const { code, message, details, hint } = this;
    return { code, message, details, hint, request_id: requestId };
  }

  /** Anything thrown, as an ApiError. What we did not foresee tells the caller nothing of its inside. */
  static from(thrown: unknown): ApiError {
    return thrown instanceof ApiError
      ? thrown
      : new ApiError("internal", undefined, { cause: thrown });
  }

  static fromIssues(error: z.ZodError): ApiError {
    const issues = issuesOf(error);
    const { path, message } = issues[0];
    return new ApiError("bad_request", path ? `${path}: ${message}` : message, { details: issues });
  }

  /** The error of a data API call. Only messages we wrote (PTxyz) pass: others may quote a row. */
  static fromDatabase(error: DatabaseError, httpStatus: number): ApiError {
    const code = codeOf(error.code ?? "", httpStatus);
    if (!/^PT\d{3}$/.test(error.code ?? "")) {
      return new ApiError(code, undefined, {
        hint: error.code ? `SQLSTATE ${error.code}` : undefined,
      });
    }
    const { issue, message } = inOurWords(error.message);
    return new ApiError(code, message, {
      hint: error.hint || undefined,
      details: issue && [issue],
    });
  }
}

export interface DatabaseError {
  code?: string;
  message: string;
  hint?: string | null;
}

function codeOf(sqlstate: string, httpStatus: number): ErrorCode {
  const prefixes = [sqlstate, sqlstate.startsWith("PGRST") ? "PGRST" : sqlstate.slice(0, 2)];
  for (const prefix of prefixes) {
    for (const [code, { from }] of Object.entries(ERRORS)) {
      if (from.includes(prefix)) return code as ErrorCode;
    }
  }
  // No code: a gateway answered instead of the data API, or nobody did (status 0).
  if (httpStatus === 429) return "rate_limited";
  if (httpStatus === 401 || httpStatus === 403 || httpStatus === 404) return "misconfigured";
  return sqlstate ? "internal" : "unavailable";
}

/** SQL names its arguments `p_limit`; over HTTP the same field is `limit`. */
function inOurWords(message: string): { message: string; issue?: Issue } {
  const named = message.match(/^p_([a-z_]+(?:\[\d+\])?(?:\.[a-z_]+)*) (.*)$/s);
  if (!named) return { message };
  const [, path, rest] = named;
  return { message: `${path} ${rest}`, issue: { path, message: rest } };
}

function kind(status: Kind["status"], from: string[], message: string): Kind {
  return { status, from, message };
}
