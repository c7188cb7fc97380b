import assert from "node:assert/strict";
import { requireDispatchSecret, requireSecretKey } from "../../functions/_shared/auth.ts";

const KEY = "sb_secret_test";
const SECRET = "dispatch-secret";

function setEnv(secret: string | null) {
  Deno.env.set("SUPABASE_URL", "http://127.0.0.1:1");
  Deno.env.set("SUPABASE_SECRET_KEYS", JSON.stringify({ default: KEY }));
  if (secret === null) Deno.env.delete("DIBS_DISPATCH_SECRET");
  else Deno.env.set("DIBS_DISPATCH_SECRET", secret);
}

const asking = (headers: Record<string, string>) =>
  new Request("http://host/dispatch", { headers });

Deno.test("the dispatch secret opens dispatch", async () => {
  setEnv(SECRET);
  await requireDispatchSecret(asking({ "x-dispatch-secret": SECRET }));
});

Deno.test("while the secret changes, the next one opens dispatch as well, and only as long", async () => {
  setEnv(SECRET);
  Deno.env.set("DIBS_NEXT_DISPATCH_SECRET", "next-secret");
  await requireDispatchSecret(asking({ "x-dispatch-secret": SECRET }));
  await requireDispatchSecret(asking({ "x-dispatch-secret": "next-secret" }));
  Deno.env.delete("DIBS_NEXT_DISPATCH_SECRET");
  const request = asking({ "x-dispatch-secret": "next-secret" });
  await assert.rejects(requireDispatchSecret(request), { code: "unauthorized" });
});

Deno.test("the secret key opens dispatch too", async () => {
  setEnv(SECRET);
  await requireDispatchSecret(asking({ apikey: KEY }));
});

for (const offered of ["", "x", `${SECRET}x`, SECRET.slice(1), KEY]) {
  Deno.test(`the dispatch secret is not "${offered}"`, async () => {
    setEnv(SECRET);
    const request = asking({ "x-dispatch-secret": offered });
    await assert.rejects(requireDispatchSecret(request), { code: "unauthorized" });
  });
}

Deno.test("where no dispatch secret is set, none opens", async () => {
  for (const secret of [null, ""]) {
    setEnv(secret);
    const request = asking({ "x-dispatch-secret": "" });
    const refusal = await requireDispatchSecret(request).catch((error) => error);
    assert.equal(refusal.code, "unauthorized");
    // A stranger is not told that there is none.
    setEnv(SECRET);
    await assert.rejects(requireDispatchSecret(request), { message: refusal.message });
  }
});

Deno.test("the dispatch secret is no key, and a key that is named like a part of every object is none", async () => {
  setEnv(SECRET);
  for (const apikey of [SECRET, "constructor", "[object Object]", "undefined"]) {
    await assert.rejects(requireSecretKey(asking({ apikey })), { code: "unauthorized" });
  }
});

Deno.test("a project without keys says what is missing instead of letting anybody in", async () => {
  setEnv(SECRET);
  Deno.env.delete("SUPABASE_SECRET_KEYS");
  await assert.rejects(requireSecretKey(asking({ apikey: KEY })), {
    code: "misconfigured",
    status: 503,
  });
});
