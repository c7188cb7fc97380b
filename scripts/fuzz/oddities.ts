import fc from "fast-check";
import { gzipSync } from "node:zlib";
import type { Change, Draft } from "./draft.ts";
import { CANARY } from "./texts.ts";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND"];

/** Methods and paths that no endpoint knows, mostly. */
export const elsewhere: fc.Arbitrary<Change> = fc.oneof(
  fc.constantFrom(...METHODS).map((method): Change => (draft) => ({ ...draft, method })),
  fc.constantFrom(
    "/",
    "//",
    "/all",
    "/;x",
    "/%2e%2e%2fstatus",
    "/%00",
    "/functions/v1/status",
    `/${CANARY}`,
    `/${"x".repeat(4_000)}`,
  ).map((path): Change => (draft) => ({ ...draft, path: path + draft.path })),
);

/** Queries and headers, which an endpoint passes over, mostly. */
export const around: fc.Arbitrary<Change> = fc.oneof(
  fc.constantFrom(
    "?",
    `?apikey=${CANARY}`,
    `?worker_id=${CANARY}&limit=0`,
    "?select=*&limit=0&order=id.desc",
    "?or=(id.eq.1)",
    "?__proto__[x]=1",
    "?%00=%ff",
    `?${"x".repeat(4_000)}`,
  ).map((query): Change => (draft) => ({ ...draft, path: draft.path.split("?")[0] + query })),
  header(
    "content-type",
    "application/json; charset=utf-8",
    "APPLICATION/JSON",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/vnd.api+json",
    "application/json5",
    "application/octet-stream",
    `x/${CANARY}`,
    "",
  ),
  header("content-encoding", "identity", "gzip", "br", "deflate", "gzip, gzip", CANARY),
  fc.constant<Change>(zip),
  header("x-request-id", `of ${CANARY}`, "a".repeat(101), "<b>", "-", "ünicode"),
  header("authorization", `Bearer ${CANARY}`, "Basic YTpi", "Bearer"),
  header("x-forwarded-host", `${CANARY}.example`, "127.0.0.1:1"),
  header("x-forwarded-for", "127.0.0.1", CANARY),
  header("x-forwarded-proto", "https", "gopher"),
  header("x-original-url", `/rest/v1/rpc/${CANARY}`),
  header("x-http-method-override", "DELETE", "GET"),
  header("x-dispatch-secret", CANARY),
  header(
    "prefer",
    "tx=rollback",
    "count=exact",
    "resolution=merge-duplicates",
    "params=single-object",
  ),
  header("accept", "text/html", "application/vnd.pgrst.plan+json", "*/*;q=0", CANARY),
  header("content-profile", "dibs", "pg_catalog"),
  header("accept-profile", "dibs"),
  header("range", "0-0", "bytes=0-1"),
  header("cookie", `sb-access-token=${CANARY}`),
  header("origin", "null", `https://${CANARY}.example`),
  header("user-agent", `${CANARY} () { :; }; id`, ""),
  header("if-none-match", "*"),
  header("x-client-info", CANARY),
);

function zip(draft: Draft): Draft {
  return {
    ...draft,
    encode: (text) => new Uint8Array(gzipSync(text)),
    headers: { ...draft.headers, "content-encoding": "gzip" },
  };
}

function header(name: string, ...values: string[]): fc.Arbitrary<Change> {
  return fc.constantFrom(...values).map((value) => (draft) => ({
    ...draft,
    headers: { ...draft.headers, [name]: value },
  }));
}
