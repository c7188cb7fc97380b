import assert from "node:assert/strict";
import { join } from "node:path";
import { findStack } from "../../../scripts/stack/find_stack.ts";

Deno.test("a stack is found while it runs, and not what one left behind", async () => {
  const dir = await Deno.makeTempDir({ prefix: "dibs-test-find-" });
  assert.equal(await findStack(dir), null);
  const told = { pid: 1, url: "http://127.0.0.1:54321", databasePort: 5433 };
  await Deno.writeTextFile(join(dir, "stack.json"), JSON.stringify(told));
  const secrets = { databasePassword: "p", secretKey: "sb_secret_k" };
  await Deno.writeTextFile(join(dir, "secrets.json"), JSON.stringify(secrets));
  const lock = await Deno.open(join(dir, "lock"), { create: true, write: true });
  assert.equal(await findStack(dir), null);
  assert.ok(await lock.tryLock(true));
  assert.deepEqual(await findStack(dir), {
    url: "http://127.0.0.1:54321",
    databaseUrl: "postgresql://postgres:p@127.0.0.1:5433/postgres",
    secretKey: "sb_secret_k",
  });
  lock.close();
  assert.equal(await findStack(dir), null);
  await Deno.remove(dir, { recursive: true });
});
