import { Validator } from "@seriousme/openapi-schema-validator";
import { createClient } from "@supabase/supabase-js";
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Database } from "../../functions/_shared/database.types.ts";
import { openApiDocument } from "../../functions/_shared/openapi.ts";
import { schemaSql } from "../../scripts/generate/schema_sql.ts";
import { copyOfProject } from "../support/copy_of_project.ts";
import { freshDatabase } from "../support/database.ts";

for (const regime of ["hidden", "exposed"] as const) {
  Deno.test(`schema.sql makes an empty project with ${regime} objects what the migrations make it`, async () => {
    await using migrated = await freshDatabase({ regime });
    const text = await schemaSql(migrated.sql);

    await using empty = await freshDatabase({ regime, migrated: false });
    await empty.sql.unsafe(text);
    assert.equal(unnamed(await schemaSql(empty.sql)), unnamed(text));
  });
}

Deno.test("schema.sql shows a change of a column, an index, a function, a comment and a grant", async () => {
  await using db = await freshDatabase();
  let before = await schemaSql(db.sql);
  for (
    const change of [
      "alter table dibs.lane add column note text",
      "create index lane_note on dibs.lane (note)",
      "alter function dibs.tick() volatile parallel safe",
      "comment on column dibs.lane.note is 'why'",
      "grant truncate on dibs.lane to anon",
    ]
  ) {
    await db.sql.unsafe(change);
    const after = await schemaSql(db.sql);
    assert.notEqual(after, before, change);
    before = after;
  }
});

Deno.test("what schema.sql has no words for is an error, not left out", async () => {
  await using db = await freshDatabase();
  await db.sql.unsafe(`
    create domain dibs.label as text;
    create policy everybody on dibs.lane using (true);
    grant select (type) on dibs.lane to anon;
  `);
  await assert.rejects(
    schemaSql(db.sql),
    /cannot write: .*policy everybody.*type dibs\.label.*column type/,
  );
});

Deno.test("generate writes what is stale, and with --check only names it and the mend", async () => {
  await using copy = await copyOfProject();
  const schema = join(copy.dir, "supabase/schema.sql");
  await Deno.remove(schema);
  const written = await generate(copy.dir);
  assert.equal(written.code, 0, written.said);
  assert.match(written.said, /^supabase\/schema\.sql written$/m);
  assert.match(await Deno.readTextFile(schema), /create table public\.thought_work_claims/);

  await Deno.writeTextFile(schema, "-- by hand\n", { append: true });
  const edited = await Deno.readTextFile(schema);
  assert.deepEqual(await generate(copy.dir, "--check"), {
    code: 1,
    said: "supabase/schema.sql is stale: run npm run generate\n",
  });
  assert.equal(await Deno.readTextFile(schema), edited);
});

Deno.test("the figures in the documents and the plots are those of the raw results", async () => {
  await using copy = await copyOfProject();
  const path = join(copy.dir, "docs/evidence/bench-drain.json");
  const evidence = JSON.parse(await Deno.readTextFile(path));
  evidence.goals[0].value = 123;
  await Deno.writeTextFile(path, JSON.stringify(evidence));
  const plot = join(copy.dir, "docs/images/bench-drain-dark.svg");
  const drawn = await Deno.readTextFile(plot);
  await Deno.writeTextFile(plot, drawn.replace(/\d(?=\.\d times)/, "9"));
  assert.deepEqual(await generate(copy.dir, "--check"), {
    code: 1,
    said: ["docs/performance.md", "docs/images/bench-drain-dark.svg"]
      .map((path) => `${path} is stale: run npm run generate\n`).join(""),
  });
  await generate(copy.dir);
  assert.equal(await Deno.readTextFile(plot), drawn);
  const document = await Deno.readTextFile(join(copy.dir, "docs/performance.md"));
  assert.match(document, new RegExp(`${evidence.goals[0].measure} +\\| +123 `));
});

Deno.test("openapi.json is valid by the OpenAPI 3.1 meta-schema", async () => {
  const document = openApiDocument();
  assert.deepEqual(await validate(document), { valid: true, version: "3.1", errors: "" });

  const broken = structuredClone(document) as { info: { title?: string } };
  delete broken.info.title;
  const { valid, errors } = await validate(broken);
  assert.equal(valid, false);
  assert.match(errors, /title/);
});

Deno.test("the database types know each function's arguments", () => {
  const supabase = createClient<Database>("http://127.0.0.1", "sb_secret_none");
  // Never sent: `npm run check` reads the types, and complains when an error expected here is none.
  void (() => [
    supabase.rpc("claim_thoughts", { p_thought_ids: [], p_work_type: "w", p_worker_id: "a" }),
    supabase.from("tasks").select("id, status").eq("status", "pending"),
    // @ts-expect-error the worker id has no default
    supabase.rpc("claim_thoughts", { p_thought_ids: [], p_work_type: "w" }),
    // @ts-expect-error a fence is text
    supabase.rpc("renew_lease", { p_fence: 1 }),
    // @ts-expect-error there is no such function
    supabase.rpc("claim_everything"),
  ]);
});

/** PostgreSQL names a view's unnamed columns after their type once it reads its own spelling. */
function unnamed(schema: string): string {
  return schema.replaceAll(/ AS (text|timestamptz)\b/g, "");
}

async function validate(document: object) {
  const validator = new Validator();
  const { valid, errors = "" } = await validator.validate(JSON.parse(JSON.stringify(document)));
  return {
    valid,
    version: validator.version,
    errors: typeof errors === "string" ? errors : JSON.stringify(errors),
  };
}

async function generate(dir: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--quiet", "scripts/generate.ts", ...args],
    cwd: dir,
  }).output();
  return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}
