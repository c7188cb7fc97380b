import assert from "node:assert/strict";
import { join } from "node:path";
import { copyOfProject } from "../support/copy_of_project.ts";

Deno.test("check fails on every kind of fault, and says how each is mended", async () => {
  await using copy = await copyOfProject();
  const faults = {
    "scripts/utils.ts": "export const   untidy: number = 'no number';\nvar unused = 1;\n",
    "scripts/long.ts": "// a line\n".repeat(301),
    "scripts/wide.sql": `-- ${"x".repeat(120)}\n`,
    "supabase/schema.sql": "-- by hand\n",
  };
  for (const [path, text] of Object.entries(faults)) {
    await Deno.writeTextFile(join(copy.dir, path), text);
  }
  await Deno.mkdir(join(copy.dir, "tests"));

  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--quiet", "scripts/check.ts"],
    cwd: copy.dir,
  }).output();
  const said = new TextDecoder().decode(stdout);
  assert.equal(code, 1);
  const sections = said.split(/^(?=[✓✗])/m);
  for (
    const [line, detail] of [
      ["✗ format: npx deno fmt", /scripts\/utils\.ts/],
      ["✗ lint: ", /scripts\/utils\.ts/],
      ["✗ types: ", /scripts\/utils\.ts/],
      ["✗ generated files: npm run generate", /supabase\/schema\.sql is stale/],
      ["✗ file length: split ", /scripts\/long\.ts has 301 lines/],
      ["✗ file names: name ", /scripts\/utils\.ts/],
      ["✗ SQL layout: break ", /scripts\/wide\.sql:1 is 123 columns wide/],
    ] as const
  ) assert.match(sections.find((section) => section.startsWith(line)) ?? said, detail);
  // deno-lint-ignore no-control-regex -- whether there are any is the question
  assert.doesNotMatch(said, /\x1b/, "colours belong on a terminal only");
});
