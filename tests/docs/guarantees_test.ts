import assert from "node:assert/strict";
import { join } from "node:path";
import { FAULTS } from "../../scripts/chaos/faults/index.ts";
import { INVARIANTS } from "../../scripts/chaos/verdict.ts";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";

Deno.test("docs/guarantees.md names every fault and every invariant of the chaos, and no others", async () => {
  const text = await Deno.readTextFile(join(PROJECT_DIR, "docs/guarantees.md"));
  const chaos = text.slice(text.indexOf("\n## Chaos"), text.indexOf("\n## What is not covered"));
  const named = Array.from(chaos.matchAll(/^\| `(\w+)` /gm), ([, name]) => name);
  const there = [...FAULTS.map(({ name }) => name), ...INVARIANTS.map(({ key }) => key)];
  assert.deepEqual(named.sort(), there.sort());
});
