// The file list is the map: what it promises is held here.
import assert from "node:assert/strict";
import { join } from "node:path";
import { emptyNames, tooLong } from "../../scripts/check/house_rules.ts";
import { readSources } from "../../scripts/check/sources.ts";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";

/** Sources without a test of their name, and the test that would fail if they were wrong. */
const TESTED_BY: Record<string, string> = {
  "functions/_shared/body.ts": "tests/functions/serve_test.ts",
  "functions/_shared/clock.ts": "tests/functions/rpc_test.ts",
  "functions/_shared/grants.ts": "tests/functions/claim_test.ts",
  "functions/_shared/issues.ts": "tests/functions/schemas_test.ts",
  "functions/_shared/log.ts": "tests/functions/serve_test.ts",
  "functions/_shared/mail.ts": "tests/functions/handlers_test.ts",
  "functions/_shared/once.ts": "tests/functions/handler_test.ts",
  "functions/_shared/openapi.ts": "tests/scripts/generate_test.ts",
  "functions/_shared/retry.ts": "tests/functions/rpc_test.ts",
  "functions/_shared/worker_id.ts": "tests/functions/handler_test.ts",
  "supabase/migrations/20261121000100_schema.sql": "tests/functions/bad_input_test.ts",
  "supabase/migrations/20261121000150_outcomes.sql": "tests/supabase/task_settle_test.ts",
  "supabase/migrations/20261121000211_source_names.sql":
    "tests/supabase/create_claim_source_test.ts",
  "supabase/migrations/20261121000258_source_rows.sql": "tests/supabase/claim_rows_test.ts",
  "supabase/migrations/20261121000509_task_options.sql": "tests/supabase/task_bad_input_test.ts",
  "supabase/migrations/20261121000455_failed_thoughts.sql": "tests/supabase/thought_leases_test.ts",
};

const sources = await readSources();
const paths = sources.map(({ path }) => path);

Deno.test("every migration, every endpoint and every shared file has a test of its name", () => {
  const untested = paths.filter(isSource)
    .filter((path) => !mirrorsOf(path).some(exists) && !(path in TESTED_BY));
  assert.deepEqual(untested, []);
});

Deno.test("every exception from that is still one, and names a test that exists", () => {
  for (const [path, test] of Object.entries(TESTED_BY)) {
    assert(paths.includes(path), `${path} is gone`);
    assert(!mirrorsOf(path).some(exists), `${path} has a test of its name`);
    assert(paths.includes(test), `${test}, which tests ${path}, is gone`);
  }
});

Deno.test("every endpoint of config.toml has its function, and every function is in config.toml", async () => {
  const config = await Deno.readTextFile(join(PROJECT_DIR, "supabase/config.toml"));
  const configured = [...config.matchAll(/^entrypoint = "\.\.\/(.*)"$/gm)].map(([, path]) => path);
  const served = paths.filter((path) =>
    /^functions\/[a-z]+\/index\.ts$/.test(path) && !path.startsWith("functions/handlers/")
  );
  assert.deepEqual(configured.sort(), served);
});

Deno.test("no file is longer than it says it must be, and none has an empty name", () => {
  assert.deepEqual(tooLong(sources), []);
  assert.deepEqual(emptyNames(sources), []);
});

function isSource(path: string): boolean {
  return path.startsWith("supabase/migrations/") || path.startsWith("functions/");
}

/**
 * Where the test of a source may be: at its path below tests/, without `_shared` and `index`, or,
 * where the source is a part, at that of the whole: schemas/tasks.ts is part of schemas.ts.
 */
function mirrorsOf(path: string): RegExp[] {
  const stem = path
    .replace(/^supabase\/migrations\/\d+_(.*)\.sql$/, "supabase/$1")
    .replace("_shared/", "").replace(/(\/index)?\.ts$/, "");
  const whole = stem.replace(/\/[^/]+$/, "");
  return [stem, ...whole.includes("/") ? [whole] : []]
    .map((name) => new RegExp(`^tests/${name}(_[a-z_]+)?_test\\.ts$`));
}

function exists(test: RegExp): boolean {
  return paths.some((path) => test.test(path));
}
