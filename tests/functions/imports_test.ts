// Imports go one way: schemas, errors, env ← rpc, auth ← serve, worker ← endpoints.
import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";

const FUNCTIONS = new URL("../../functions", import.meta.url).pathname;
const SHARED = "_shared";
const HANDLERS = "handlers";

/** Lower floors never import from higher ones. What has no floor here is free to be anywhere below the endpoints. */
const FLOORS = [
  [
    "_shared/schemas",
    "_shared/schemas.ts",
    "_shared/issues.ts",
    "_shared/errors.ts",
    "_shared/env.ts",
    "_shared/clock.ts",
    "_shared/log.ts",
    "_shared/retry.ts",
  ],
  ["_shared/rpc.ts", "_shared/auth.ts", "_shared/body.ts"],
  [
    "_shared/serve.ts",
    "_shared/worker.ts",
    "_shared/worker",
    "_shared/handler.ts",
    "_shared/once.ts",
    "_shared/commit.ts",
    "_shared/mail.ts",
    "_shared/dispatch.ts",
  ],
];

const sources = await readSources(FUNCTIONS);

async function readSources(dir: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    const path = join(dir, name);
    if (isDirectory) { for (const entry of await readSources(path)) found.set(...entry); }
    else if (name.endsWith(".ts")) {
      found.set(relative(FUNCTIONS, path), await Deno.readTextFile(path));
    }
  }
  return found;
}

function specifiersOf(source: string): string[] {
  return [...source.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, specifier]) =>
    specifier
  );
}

/** What a file imports of ours, by path below functions/. */
function importsOf(file: string): string[] {
  return specifiersOf(sources.get(file)!).filter((s) => s.startsWith("."))
    .map((specifier) => join(dirname(file), specifier));
}

function folderOf(file: string): string {
  return file.split("/")[0];
}

function floorOf(file: string): number {
  return FLOORS.findIndex((floor) =>
    floor.some((path) => file === path || file.startsWith(`${path}/`))
  );
}

Deno.test("every relative import names a file that is there", () => {
  for (const file of sources.keys()) {
    for (const imported of importsOf(file)) {
      assert.ok(sources.has(imported), `${file} → ${imported}`);
    }
  }
});

Deno.test("endpoints import nothing of each other", () => {
  for (const file of sources.keys()) {
    const own = folderOf(file);
    const allowed = [own, SHARED, HANDLERS];
    for (const imported of importsOf(file)) {
      assert.ok(allowed.includes(folderOf(imported)), `${file} → ${imported}`);
    }
  }
});

Deno.test("_shared imports no endpoint and no handler", () => {
  for (const file of sources.keys()) {
    if (folderOf(file) !== SHARED) continue;
    for (const imported of importsOf(file)) {
      assert.equal(folderOf(imported), SHARED, `${file} → ${imported}`);
    }
  }
});

Deno.test("only drain and dispatch know the registry, and handlers know nothing but _shared", () => {
  for (const file of sources.keys()) {
    const handlers = importsOf(file).filter((imported) => folderOf(imported) === HANDLERS);
    if (folderOf(file) === HANDLERS || handlers.length === 0) continue;
    assert.ok(["drain", "dispatch"].includes(folderOf(file)), file);
    assert.deepEqual(handlers, ["handlers/index.ts"]);
  }
});

Deno.test("nothing imports from a floor above its own", () => {
  for (const file of sources.keys()) {
    const floor = floorOf(file);
    for (const imported of importsOf(file)) {
      if (floor < 0) continue;
      assert.ok(floorOf(imported) <= floor, `${file} → ${imported}`);
    }
  }
});

Deno.test("only the typed client makes a database client, and only it calls SQL functions", () => {
  for (const [file, source] of sources) {
    if (["_shared/rpc.ts", "_shared/database.types.ts"].includes(file)) continue;
    assert.doesNotMatch(source, /createClient|createAdminClient|\.rpc\(|\.from\("/, file);
  }
});

Deno.test("whatever comes from outside goes through the import map", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(join(FUNCTIONS, "../deno.json")));
  for (const [file, source] of sources) {
    for (const specifier of specifiersOf(source)) {
      const ours = specifier.startsWith(".") || specifier.startsWith("node:");
      assert.ok(ours || specifier in imports, `${file} → ${specifier}`);
    }
  }
});
