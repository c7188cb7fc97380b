import assert from "node:assert/strict";
import { join } from "node:path";
import { SETTINGS } from "../../../scripts/deploy/given_secrets.ts";
import { PROJECT_DIR } from "../../../scripts/stack/migrate.ts";

Deno.test("whatever the functions read of their environment can be given to a deployment", async () => {
  const env = await Deno.readTextFile(join(PROJECT_DIR, "functions/_shared/env.ts"));
  const read = new Set(Array.from(env.matchAll(/"(DIBS_\w+)"/g), ([, name]) => name));
  const made = ["DIBS_DISPATCH_SECRET", "DIBS_NEXT_DISPATCH_SECRET"];
  assert.deepEqual([...SETTINGS, ...made].sort(), [...read].sort());
});

Deno.test("docs/deploy.md has them all", async () => {
  const text = await Deno.readTextFile(join(PROJECT_DIR, "docs/deploy.md"));
  for (const name of SETTINGS) assert.match(text, new RegExp(`^\\| \`${name}\` `, "m"));
});
