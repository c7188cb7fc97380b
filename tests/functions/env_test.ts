import assert from "node:assert/strict";
import { env } from "../../functions/_shared/env.ts";
import type { ApiError } from "../../functions/_shared/errors.ts";

const NAMES = [
  "SUPABASE_URL",
  "SUPABASE_SECRET_KEYS",
  "SUPABASE_SECRET_KEY",
  "DIBS_WALL_CLOCK_SECONDS",
];

/** Reads with these variables alone, and puts back what there was. */
function reading<T>(variables: Record<string, string>, read: () => T): T {
  const before = NAMES.map((name) => [name, Deno.env.get(name)] as const);
  const set = ([name, value]: readonly [string, string | undefined]) =>
    value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  NAMES.forEach((name) => set([name, variables[name]]));
  try {
    return read();
  } finally {
    before.forEach(set);
  }
}

Deno.test("the secret key is the default one, else any, else the single one", () => {
  const keys = (keys: object) => ({ SUPABASE_SECRET_KEYS: JSON.stringify(keys) });
  assert.equal(reading(keys({ cron: "c", default: "d" }), env.secretKey), "d");
  assert.equal(reading(keys({ cron: "c" }), env.secretKey), "c");
  assert.equal(reading({ SUPABASE_SECRET_KEY: "single" }, env.secretKey), "single");
});

Deno.test("what is missing or no number is an error that names the variable and quotes nothing", () => {
  for (
    const [variables, read, name] of [
      [{}, env.supabaseUrl, "SUPABASE_URL"],
      [{}, env.secretKey, "SUPABASE_SECRET_KEYS"],
      [{ SUPABASE_SECRET_KEYS: "sb_secret_x" }, env.secretKey, "SUPABASE_SECRET_KEYS"],
      [{ DIBS_WALL_CLOCK_SECONDS: "soon" }, env.wallClockSeconds, "DIBS_WALL_CLOCK_SECONDS"],
    ] as const
  ) {
    assert.throws(() => reading<unknown>(variables, read), (error: ApiError) => {
      assert.equal(error.code, "misconfigured");
      assert.match(error.message, new RegExp(name));
      assert.doesNotMatch(error.message, /sb_secret_x|soon/);
      return true;
    });
  }
});

Deno.test("a function may run as long as the free plan allows, or as long as it is told", () => {
  assert.equal(reading({}, env.wallClockSeconds), 150);
  assert.equal(reading({ DIBS_WALL_CLOCK_SECONDS: "400" }, env.wallClockSeconds), 400);
});
