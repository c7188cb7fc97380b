import assert from "node:assert/strict";
import { parse } from "@std/toml/parse";
import { dirname, join, normalize } from "node:path";
import { listMigrations } from "../../scripts/stack/migrations.ts";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { runCommand } from "../support/command.ts";
import {
  type Ended,
  laterDibs,
  type Sample,
  sampleProject,
  SAMPLES,
} from "../support/sample_projects.ts";

const EMPTY = SAMPLES["that is empty"];
const SHOP = SAMPLES["with functions and migrations of its own"];
const CONFIG = "supabase/config.toml";
const STATUS = "supabase/dibs/functions/status/index.ts";
const HANDLERS = "supabase/dibs/functions/handlers/";

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
    assert.equal(await textIn(project, `supabase/migrations/${name}`), ours[n].text);
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
    "supabase/migrations/dibs_schema.sql",
  ]);
  assert.equal(after["supabase/dibs/functions/openapi.json"], undefined);
  assert.match(after[STATUS], /^\/\/ Later\.$/m);
  assert.match(after[CONFIG], /\[functions\.status\]\nenabled = true\n/);
  assert.ok(after[CONFIG].startsWith(before[CONFIG].split("# >>>")[0]));
  const schemas = Object.keys(after).filter((path) => path.endsWith("_dibs_schema.sql")).sort();
  assert.equal(schemas.length, 2);
  assert.equal(
    schemas[1],
    Object.keys(after).filter((path) => path.endsWith(".sql")).sort().at(-2),
  );
  assert.match(after[schemas[1]], /'99\.0\.0'/);
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
    await project.write({ [path]: (await textIn(project, path)).replaceAll("\n", "\r\n") });
  }
  const { out } = await add(project);
  assert.match(out, /There is nothing to change\./);
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

async function add(project: Sample, ...args: string[]): Promise<Ended> {
  const ended = await project.run("add", ...args);
  assertDone(ended);
  return ended;
}

function assertDone({ code, out, err }: Ended): void {
  assert.equal(code, 0, out + err);
}

async function assertRefused(project: Sample, wanted: [string, RegExp, RegExp][]): Promise<void> {
  const before = await project.files();
  const { code, out, err } = await project.run("add", "--json");
  assert.equal(code, 1, err);
  const { ok, done, obstacles } = JSON.parse(out);
  assert.deepEqual([ok, done, obstacles.length], [false, false, wanted.length], out);
  for (const [n, [path, problem, mend]] of wanted.entries()) {
    assert.equal(obstacles[n].path, path);
    assert.match(obstacles[n].problem, problem);
    assert.match(obstacles[n].mend, mend);
  }
  assert.match(err, /Nothing was changed\./);
  assert.deepEqual(await project.files(), before);
}

/** As it is read, not byte by byte. */
function textIn(project: Sample, path: string): Promise<string> {
  return Deno.readTextFile(join(project.dir, path));
}
