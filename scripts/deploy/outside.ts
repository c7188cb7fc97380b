import type { Deployment } from "./deployment.ts";

const LONGEST_MS = 15_000;

/** Asks one of the project's addresses; null when nobody answered. */
export async function call(
  { url }: Pick<Deployment, "url">,
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; text: string } | null> {
  try {
    const response = await fetch(url + path, { ...init, signal: AbortSignal.timeout(LONGEST_MS) });
    return { status: response.status, text: await response.text() };
  } catch {
    return null;
  }
}

/** Calls dispatch as somebody who shows these headers; returns the status, null when nobody answered. */
export async function callDispatch(
  deployment: Pick<Deployment, "url">,
  headers: Record<string, string>,
): Promise<number | null> {
  const answer = await call(deployment, "/functions/v1/dispatch", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: "{}",
  });
  return answer?.status ?? null;
}
