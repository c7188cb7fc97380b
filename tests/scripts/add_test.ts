import assert from "node:assert/strict";
import { parse } from "@std/toml/parse";
import { dirname, join, normalize } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { listMigrations } from "../../scripts/stack/migrations.ts";
import { runCommand } from "../support/command.ts";
import { add, assertRefused, EMPTY, sampleProject, SHOP } from "../support/sample_projects.ts";

const CONFIG = "supabase/config.toml";

const ours = await listMigrations();

Deno.test("migrations come after those of the project, in our order and as they are", async () => {
  await using project = await sampleProject(SHOP);
  await add(project);
  const files = await project.files();
  const names = Object.keys(files).filter((path) => path.startsWith("supabase/migrations/")).sort();
  const [orders, later, ...added] = names.map((path) => path.replace("supabase/migrations/", ""));
  assert.deepEqual([orders, later], ["20240101000000_orders.sql", "20300101000000_later.sql"]);
  assert.equal(added[0], "20300101000001_dibs_schema.sql");
  assert.deepEqual(
    added.map((name) => name.replace(/^\d{14}_dibs_/, "")),
    ours.map(({ name }) => name.replace(/^\d{14}_/, "")),
  );
  assert.equal(new Set(added.map((name) => name.slice(0, 14))).size, added.length);
  for (const [n, name] of added.entries()) {
    assert.equal(
      await Deno.readTextFile(join(project.dir, `supabase/migrations/${name}`)),
      ours[n].text,
    );
  }
});

Deno.test("config.toml has every function of Dibs, each with files that are there, beside the project's own", async () => {
  await using project = await sampleProject(SHOP);
  await add(project);
  const files = await project.files();
  const functions = parse(files[CONFIG]).functions as Record<string, Record<string, unknown>>;
  const mine = parse(await Deno.readTextFile(join(PROJECT_DIR, CONFIG))).functions as object;
  assert.deepEqual(Object.keys(functions).sort(), [...Object.keys(mine), "hello"].sort());
  for (const [name, { verify_jwt, entrypoint, import_map }] of Object.entries(functions)) {
    if (name === "hello") continue;
    assert.equal(verify_jwt, false);
    assert.equal(entrypoint, `./dibs/functions/${name}/index.ts`);
    assert.ok(files[normalize(join("supabase", entrypoint as string))], name);
    assert.ok(files[normalize(join("supabase", import_map as string))], name);
  }
});

Deno.test("the import map beside the functions has all that they import, in this version's versions", async () => {
  await using project = await sampleProject(EMPTY);
  await add(project);
  const files = await project.files();
  const { imports } = JSON.parse(files["supabase/dibs/deno.json"]);
  const root = JSON.parse(await Deno.readTextFile(join(PROJECT_DIR, "deno.json")));
  const imported = new Set<string>();
  for (const [path, text] of Object.entries(files)) {
    for (const [, name] of text.matchAll(/^(?:import|export|\}).* from "([^"]+)";$/gm)) {
      if (!path.endsWith(".ts") || name.startsWith("node:")) continue;
      if (name.startsWith(".")) assert.ok(files[join(dirname(path), name)], `${path}: ${name}`);
      else imported.add(name);
    }
  }
  assert.deepEqual(Object.keys(imports).sort(), [...imported].sort());
  for (const name of imported) assert.equal(imports[name], root.imports[name]);
});

Deno.test("with --dry-run it shows the same and changes nothing", async () => {
  await using project = await sampleProject(SHOP);
  const before = await project.files();
  const dry = await add(project, "--dry-run", "--json");
  assert.deepEqual(await project.files(), before);
  const done = await add(project, "--json");
  const [planned, made] = [dry, done].map(({ out }) => JSON.parse(out));
  assert.deepEqual([planned.done, made.done], [false, true]);
  const stamp = /\d{14}/;
  assert.deepEqual(
    planned.changes.map(({ path }: { path: string }) => path.replace(stamp, "")),
    made.changes.map(({ path }: { path: string }) => path.replace(stamp, "")),
  );
  const [config] = made.changes.filter(({ path }: { path: string }) => path === CONFIG);
  assert.ok(config.added > 20 && config.removed <= 1, JSON.stringify(config));
  assert.match(done.err, /\+ supabase\/dibs\/functions\/claim\/index\.ts {2}\+\d+/);
});

/** What of a project's may be in the way: where it is, what is told of it, and how it is mended. */
const IN_THE_WAY: [string, Record<string, string>, [string, RegExp, RegExp][]][] = [
  [
    "a function of the same name in config.toml",
    { [CONFIG]: "[functions.claim]\nverify_jwt = true\n" },
    [[CONFIG, /has a function claim/, /another name/]],
  ],
  [
    "a function of the same name in its folder",
    { "supabase/functions/drain/index.ts": "" },
    [["supabase/functions/drain", /has a function drain/, /another name/]],
  ],
  [
    "a folder of the same name",
    { "supabase/dibs/notes.md": "" },
    [["supabase/dibs", /without the supabase\/dibs\.json/, /move the folder/]],
  ],
  [
    "a file instead of the folder",
    { "supabase/dibs": "" },
    [["supabase/dibs", /without the supabase\/dibs\.json/, /move the folder/]],
  ],
  ["no TOML", { [CONFIG]: "project_id = \n" }, [[CONFIG, /is no TOML/, /Mend it/]]],
];

for (const [what, files, obstacles] of IN_THE_WAY) {
  Deno.test(`${what} is told before anything is written`, async () => {
    await using project = await sampleProject({ ...EMPTY, ...files });
    await assertRefused(project, obstacles);
  });
}

Deno.test("a migration whose name is no time and comes last is told before anything is written", async () => {
  await using project = await sampleProject({ ...EMPTY, "supabase/migrations/9000_last.sql": "" });
  const before = await project.files();
  const { code, err } = await project.run("add");
  assert.equal(code, 1);
  assert.match(err, /The newest migration begins with 9000, which is no time such as \d{14}/);
  assert.deepEqual(await project.files(), before);
});

Deno.test("a spoiled dibs.json is told, with its mend", async () => {
  await using project = await sampleProject({ ...EMPTY, "supabase/dibs.json": "{}" });
  const { code, err } = await project.run("add");
  assert.equal(code, 1);
  assert.match(err, /supabase\/dibs\.json is not as .* wrote it\. Restore it/);
});

Deno.test("wrong use ends with 2 and says what is wrong", async () => {
  const wrong: [string[], RegExp][] = [
    [[], /required option '--into <folder>'/],
    [["--into", "docs"], /no supabase\/config\.toml in .*docs\. .*supabase init/],
    [["--into", ".", "--yes"], /unknown option '--yes'/],
  ];
  for (const [args, message] of wrong) {
    const { output, ended } = runCommand("scripts/add.ts", args);
    assert.equal(await ended, 2, output.stderr);
    assert.match(output.stderr, message);
    assert.equal(output.stdout, "");
  }
});
