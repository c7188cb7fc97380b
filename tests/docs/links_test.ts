import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { anchorsOf, documents, linksOf, readDocument, resolveLink } from "./markdown.ts";

Deno.test("every link in the documents leads somewhere", async () => {
  const dead: string[] = [];
  for (const file of [...await documents(), ...await notes()]) {
    for (const link of linksOf(file, await readDocument(file))) {
      if (!await leadsSomewhere(resolveLink(link))) {
        dead.push(`${file}:${link.line} ${link.target}`);
      }
    }
  }
  assert.deepEqual(dead, []);
});

Deno.test("every document is reached from the README", async () => {
  const reached = new Set(["README.md"]);
  for (const file of reached) {
    for (const link of linksOf(file, await readDocument(file))) {
      const { path } = resolveLink(link);
      if (path.endsWith(".md")) reached.add(path);
    }
  }
  assert.deepEqual((await documents()).filter((file) => !reached.has(file)), []);
});

/** What stands beside the README, for those who work on Dibs. */
async function notes(): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(PROJECT_DIR));
  return entries.map(({ name }) => name).filter((name) => /^(?!README).+\.md$/.test(name));
}

async function leadsSomewhere({ path, anchor }: { path: string; anchor: string }) {
  const exists = await Deno.stat(join(PROJECT_DIR, path)).then(() => true, () => false);
  return exists && (anchor === "" || anchorsOf(await readDocument(path)).includes(anchor));
}
