import { env } from "./env.ts";
import { PermanentError } from "./worker/failure.ts";

export interface Email {
  to: string;
  subject: string;
  text: string;
}

const TIMEOUT_MS = 10_000;

/** Sends one email through the provider; it drops a repeat of the same idempotency key. */
export async function sendEmail(
  email: Email,
  { idempotencyKey, signal }: { idempotencyKey: string; signal: AbortSignal },
): Promise<{ provider_id: string | null }> {
  const { url, key, from } = env.mail();
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "idempotency-key": idempotencyKey,
      ...(key && { authorization: `Bearer ${key}` }),
    },
    body: JSON.stringify({ from, ...email }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  const answer = await response.json().catch(() => null);
  if (response.ok) return { provider_id: typeof answer?.id === "string" ? answer.id : null };
  const message = `the mail provider answered ${response.status}`;
  // It understood and refuses: the same email again would be refused again.
  throw response.status === 400 || response.status === 422
    ? new PermanentError(message)
    : new Error(message);
}
