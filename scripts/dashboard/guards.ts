// What keeps other pages, and other names for this machine, away from an operator's tool on it.
import { timingSafeEqual } from "node:crypto";

/** Names of this machine. A page of another site that had its own name point here sends that name. */
const OWN_NAMES = ["127.0.0.1", "localhost", "[::1]"];

/** What a request must carry to change anything: only a page of ours can read it. */
export const TOKEN_HEADER = "x-dibs-token";

/** Nothing but what this server serves: no inline script, no other host, no frame around it. */
export const SECURITY_HEADERS = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** Why a request is not ours to answer, or null when it is. */
export function refusalOf(request: Request, names: string[] = []): string | null {
  const host = request.headers.get("host") ?? "";
  if (![...OWN_NAMES, ...names].includes(hostname(host))) {
    return `This dashboard does not answer to the name ${JSON.stringify(host)}.`;
  }
  const origin = request.headers.get("origin");
  if (origin !== null && !isOrigin(origin, host)) {
    return "Pages of other origins may ask nothing here.";
  }
  // Absent where no browser asks; a link somebody follows opens the page, and may do no more.
  const site = request.headers.get("sec-fetch-site") ?? "same-origin";
  const isOpened = site === "none" || request.method === "GET" &&
      request.headers.get("sec-fetch-mode") === "navigate" &&
      request.headers.get("sec-fetch-dest") === "document";
  return site === "same-origin" || isOpened ? null : "Pages of other sites may ask nothing here.";
}

/** Whether two tokens are the same; how long it takes tells nothing. */
export function isToken(given: string | null, token: string): boolean {
  const [a, b] = [given ?? "", token].map((text) => new TextEncoder().encode(text));
  return a.length === b.length && timingSafeEqual(a, b);
}

/** A token that nobody guesses. */
export function newToken(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toHex();
}

function hostname(host: string): string {
  return host.replace(/:\d+$/, "").toLowerCase();
}

function isOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
