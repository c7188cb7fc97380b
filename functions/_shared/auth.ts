import { verifyAuth } from "@supabase/server/core";
import { timingSafeEqual } from "node:crypto";
import { env } from "./env.ts";
import { ApiError } from "./errors.ts";

/** Lets in whoever sends the project's default secret key; everybody else gets an ApiError. */
export async function requireSecretKey(request: Request): Promise<void> {
  const { error } = await verifyAuth(request, { auth: "secret" });
  if (!error) return;
  if (error.status === 401) {
    throw new ApiError("unauthorized", undefined, {
      hint: "Authorization, publishable keys and the old service_role token are not read.",
    });
  }
  throw new ApiError("misconfigured", "This project has no secret key the functions can see.", {
    hint: "Set SUPABASE_URL and SUPABASE_SECRET_KEYS.",
    cause: error,
  });
}

/** Dispatch also opens with a secret of its own, so that what cron holds can do nothing else. */
export async function requireDispatchSecret(request: Request): Promise<void> {
  const offered = request.headers.get("x-dispatch-secret");
  if (offered === null) return await requireSecretKey(request);
  const matches = await Promise.all(env.dispatchSecrets().map((secret) => isSame(offered, secret)));
  if (!matches.includes(true)) {
    throw new ApiError(
      "unauthorized",
      "The header x-dispatch-secret is not what DIBS_DISPATCH_SECRET says.",
    );
  }
}

/** Digests have one length, so that the time it takes says nothing about the secret. */
async function isSame(a: string, b: string): Promise<boolean> {
  const [left, right] = await Promise.all(
    [a, b].map((text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
  );
  return timingSafeEqual(new Uint8Array(left), new Uint8Array(right));
}
