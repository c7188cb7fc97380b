import assert from "node:assert/strict";
import { join } from "node:path";
import { VERSION } from "../../functions/_shared/version.ts";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { freshDatabase } from "../support/database.ts";

Deno.test("functions, database and package say the same version", async () => {
  await using db = await freshDatabase();
  const [{ version }] = await db.sql`select dibs.version()`;
  const text = await Deno.readTextFile(join(PROJECT_DIR, "package.json"));
  assert.deepEqual([version, VERSION], Array(2).fill(JSON.parse(text).version));
});
