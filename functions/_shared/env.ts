import { ApiError } from "./errors.ts";

/** The environment of the functions. Read when needed, so that a missing name is an answer, not a crash at boot. */
export const env = {
  supabaseUrl: () => required("SUPABASE_URL"),
  secretKey: () =>
    secretKeys().default ?? Object.values(secretKeys())[0] ?? required("SUPABASE_SECRET_KEYS"),
  /** What opens dispatch and nothing else: the one the database holds, and the one it is about to hold. */
  dispatchSecrets: () =>
    ["DIBS_DISPATCH_SECRET", "DIBS_NEXT_DISPATCH_SECRET"].flatMap((name) =>
      Deno.env.get(name) || []
    ),
  /** How long the platform lets a function run: 150 s on the free plan, 400 s on paid ones. */
  wallClockSeconds: () => number("DIBS_WALL_CLOCK_SECONDS", 150),
  mail: () => ({
    url: required("DIBS_MAIL_URL"),
    key: Deno.env.get("DIBS_MAIL_KEY") || null,
    from: Deno.env.get("DIBS_MAIL_FROM") || "Dibs <dibs@localhost>",
  }),
};

function required(name: string): string {
  const value = Deno.env.get(name);
  if (!value) {
    throw new ApiError("misconfigured", `The environment variable ${name} is missing.`, {
      hint: `Set it with: supabase secrets set ${name}=…`,
    });
  }
  return value;
}

function number(name: string, otherwise: number): number {
  const value = Number(Deno.env.get(name) || otherwise);
  if (value > 0) return value;
  throw new ApiError("misconfigured", `The environment variable ${name} must be a number above 0.`);
}

/** The platform gives all secret keys as JSON, name → key; a single one comes from elsewhere. */
function secretKeys(): Record<string, string> {
  const single = Deno.env.get("SUPABASE_SECRET_KEY");
  try {
    return JSON.parse(Deno.env.get("SUPABASE_SECRET_KEYS") || "null") ??
      (single ? { default: single } : {});
  } catch {
    throw new ApiError(
      "misconfigured",
      'SUPABASE_SECRET_KEYS must be JSON: {"default": "sb_secret_…"}.',
    );
  }
}
