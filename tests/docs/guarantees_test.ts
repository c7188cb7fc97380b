import assert from "node:assert/strict";
import { join } from "node:path";
import { FAULTS } from "../../scripts/chaos/faults/index.ts";
import { INVARIANTS } from "../../scripts/chaos/verdict.ts";
import { readEndpoints } from "../../scripts/fuzz/endpoints.ts";
import { RULES } from "../../scripts/fuzz/rules.ts";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";

const text = await Deno.readTextFile(join(PROJECT_DIR, "docs/guarantees.md"));

Deno.test("docs/guarantees.md names every fault and every invariant of the chaos, and no others", () => {
  const there = [...FAULTS.map(({ name }) => name), ...INVARIANTS.map(({ key }) => key)];
  assert.deepEqual(namedUnder("Chaos"), there.sort());
});

Deno.test("docs/guarantees.md has every rule of the fuzz as it is, and no other", () => {
  assert.deepEqual(namedUnder("Fuzz"), Object.keys(RULES).sort());
  for (const [rule, says] of Object.entries(RULES)) {
    assert.match(text, RegExp(`^\\| \`${rule}\` +\\| ${says} +\\|$`, "m"));
  }
});

Deno.test("the long fuzz that is kept was as long as it must be, and broke no rule", async () => {
  const none = Object.fromEntries(Object.keys(RULES).map((rule) => [rule, 0]));
  const fuzzed = (await evidence("fuzz.jsonl")).flatMap(({ endpoints, broken }) => {
    assert.deepEqual(broken, none);
    const [[name, { bodies }]] = Object.entries<{ bodies: number }>(endpoints);
    assert.ok(bodies >= 100_000, name);
    return name;
  });
  assert.deepEqual(fuzzed.sort(), [...(await readEndpoints()).keys()].sort());
});

/** Raw results that are kept, one in a line. */
// deno-lint-ignore no-explicit-any
async function evidence(file: string): Promise<any[]> {
  const lines = await Deno.readTextFile(join(PROJECT_DIR, "docs/evidence", file));
  return lines.trimEnd().split("\n").map((line) => JSON.parse(line));
}

/** What the tables below a heading begin their lines with. */
function namedUnder(heading: string): string[] {
  const [, section] = text.split(`\n## ${heading}\n`);
  return Array.from(section.split("\n## ")[0].matchAll(/^\| `(\w+)` /gm), ([, name]) => name)
    .sort();
}
