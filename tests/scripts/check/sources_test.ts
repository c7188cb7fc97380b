import assert from "node:assert/strict";
import { readSources } from "../../../scripts/check/sources.ts";

Deno.test("sources are what people write: not generated, not installed", async () => {
  const paths = (await readSources()).map(({ path }) => path);
  for (const path of ["scripts/check/sources.ts", ".ci/run", "README.md", "scripts/run.mjs"]) {
    assert(paths.includes(path), path);
  }
  assert(paths.some((path) => path.startsWith("supabase/migrations/")));
  assert(!paths.includes("supabase/schema.sql"));
  assert(!paths.some((path) => path.includes("node_modules")));
});
