import assert from "node:assert/strict";
import { loadSecrets } from "../../../scripts/stack/secrets.ts";

Deno.test("secrets are made once, and those an older stack did not have are added to its own", async () => {
  const file = await Deno.makeTempFile({ prefix: "dibs-test-secrets-" });
  try {
    await Deno.writeTextFile(file, JSON.stringify({ secretKey: "sb_secret_kept" }));
    const secrets = await loadSecrets(file);
    assert.equal(secrets.secretKey, "sb_secret_kept");
    assert.ok(secrets.jwtSecret.length >= 32);
    assert.notEqual(secrets.jwtSecret, secrets.dispatchSecret);
    assert.deepEqual(await loadSecrets(file), secrets);
  } finally {
    await Deno.remove(file);
  }
});
