// `npm run add` where Dibs is already.
import assert from "node:assert/strict";
import { join } from "node:path";
import { schemaSql } from "../../scripts/generate/schema_sql.ts";
import { migrate } from "../../scripts/stack/migrate.ts";
import { applyMigrations, listMigrations } from "../../scripts/stack/migrations.ts";
import { freshDatabase } from "../support/database.ts";
import { grantsOf } from "../support/grants.ts";
import {
  add,
  assertDone,
  assertRefused,
  EMPTY,
  laterDibs,
  sampleProject,
  SHOP,
} from "../support/sample_projects.ts";

const CONFIG = "supabase/config.toml";
const STATUS = "supabase/dibs/functions/status/index.ts";
const HANDLERS = "supabase/dibs/functions/handlers/";

Deno.test("again it finds nothing to do", async () => {
  await using project = await sampleProject(SHOP);
  await add(project);
  const before = await project.files();
  const { out } = await add(project);
  assert.match(out, /There is nothing to change\./);
  assert.deepEqual(await project.files(), before);
});

Deno.test("a later version comes as new migrations and changed functions, and handlers stay", async () => {
  await using project = await sampleProject(SHOP);
  await add(project);
  await project.write({ [`${HANDLERS}mine.ts`]: "export const mine = 1;\n" });
  const before = await project.files();
  await using later = await laterDibs();
  await later.edit("functions/status/index.ts", "export", "// Later.\nexport");
  await later.edit(
    "supabase/config.toml",
    "[functions.status]",
    "[functions.status]\nenabled = true",
  );
  assertDone(await later.addTo(project));
  const after = await project.files();
  const changed = Object.keys({ ...before, ...after }).filter((path) =>
    before[path] !== after[path]
  );
  assert.deepEqual(changed.map((path) => path.replace(/\d{14}_/, "")).sort(), [
    "supabase/config.toml",
    "supabase/dibs.json",
    "supabase/dibs/functions/_shared/novelty.ts",
    "supabase/dibs/functions/_shared/version.ts",
    "supabase/dibs/functions/openapi.json",
    STATUS,
    "supabase/migrations/dibs_grants.sql",
    "supabase/migrations/dibs_schema.sql",
  ]);
  assert.equal(after["supabase/dibs/functions/openapi.json"], undefined);
  assert.match(after[STATUS], /^\/\/ Later\.$/m);
  assert.match(after[CONFIG], /\[functions\.status\]\nenabled = true\n/);
  assert.ok(after[CONFIG].startsWith(before[CONFIG].split("# >>>")[0]));
  const [seed, grants, schema] = Object.keys(after).filter((path) => path.endsWith(".sql")).sort()
    .reverse();
  assert.equal(seed, "supabase/seed.sql");
  assert.match(
    grants,
    /_dibs_grants\.sql$/,
    "what the first migration makes, the second one seals",
  );
  assert.match(schema, /_dibs_schema\.sql$/);
  assert.match(after[schema], /'99\.0\.0'/);
});

Deno.test("what an upgrade pushes makes a database what a new one of that version is", async () => {
  await using project = await sampleProject(EMPTY);
  await add(project);
  await using upgraded = await freshDatabase({ migrated: false });
  await migrate(upgraded.url, project.dir);
  await using later = await laterDibs();
  await later.edit(
    "supabase/migrations/20261121000100_schema.sql",
    "-- Fences",
    "create function dibs.novelty() returns int language sql set search_path = '' as 'select 1';\n-- Fences",
  );
  assertDone(await later.addTo(project));
  await migrate(upgraded.url, project.dir);

  await using fresh = await freshDatabase({ migrated: false });
  await applyMigrations(fresh.sql, await listMigrations(later.dir));
  assert.equal(await schemaSql(upgraded.sql), await schemaSql(fresh.sql));
  assert.deepEqual(await grantsOf(upgraded.sql), await grantsOf(fresh.sql));
});

Deno.test("an earlier version does not take the place of a later one", async () => {
  await using project = await sampleProject(EMPTY);
  await using later = await laterDibs();
  assertDone(await later.addTo(project));
  await assertRefused(project, [["supabase/dibs.json", /99\.0\.0 is there/, /git pull/]]);
});

Deno.test("what only the project changed stays, and what both changed is told before anything is written", async () => {
  await using project = await sampleProject(EMPTY);
  await add(project);
  const claim = "supabase/dibs/functions/claim/index.ts";
  const version = "supabase/dibs/functions/_shared/version.ts";
  await project.write({ [claim]: "// Mine.\n", [version]: "// Mine, too.\n" });
  const { out } = await add(project, "--json");
  assert.deepEqual(JSON.parse(out).kept, [version, claim]);

  await using later = await laterDibs();
  const before = await project.files();
  const refused = await later.addTo(project, "--json");
  assert.equal(refused.code, 1);
  assert.deepEqual(JSON.parse(refused.out).obstacles.map(({ path }: { path: string }) => path), [
    version,
  ]);
  assert.match(refused.err, /version\.ts was changed by you, and this version changes it as well/);
  assert.deepEqual(await project.files(), before);

  assertDone(await later.addTo(project, "--force"));
  const after = await project.files();
  assert.match(after[version], /99\.0\.0/);
  assert.notEqual(after[claim], before[claim]);
});

Deno.test("the lines of config.toml that are Dibs's are treated the same way", async () => {
  await using project = await sampleProject(EMPTY);
  await add(project);
  const edited = (await project.files())[CONFIG].replace(
    "[functions.status]",
    "[functions.status]\nenabled = false",
  );
  await project.write({ [CONFIG]: edited });
  await add(project);
  assert.equal((await project.files())[CONFIG], edited);
  await using later = await laterDibs();
  await later.edit(
    "supabase/config.toml",
    "[functions.renew]",
    "[functions.renew]\nenabled = true",
  );
  const refused = await later.addTo(project);
  assert.equal(refused.code, 1);
  assert.match(refused.out, /config\.toml \(the part of Dibs\) was changed by you/);
});

Deno.test("a checkout with other line breaks is no change", async () => {
  await using project = await sampleProject(EMPTY);
  await add(project);
  for (const path of Object.keys(await project.files())) {
    await project.write({
      [path]: (await Deno.readTextFile(join(project.dir, path))).replaceAll("\n", "\r\n"),
    });
  }
  const { out } = await add(project);
  assert.match(out, /There is nothing to change\./);
});
