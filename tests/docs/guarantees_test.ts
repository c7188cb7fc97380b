import assert from "node:assert/strict";
import { join } from "node:path";
import { FAULTS } from "../../scripts/chaos/faults/index.ts";
import { INVARIANTS } from "../../scripts/chaos/verdict.ts";
import { readEndpoints } from "../../scripts/fuzz/endpoints.ts";
import { RULES } from "../../scripts/fuzz/rules.ts";
import { number } from "../../scripts/numbers.ts";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";

/** Of the workers in a full run. */
const LEASE_SECONDS = 8;
/** Nobody looked for these yet when it was made. */
const SINCE_THE_FULL_RUN = ["over_limits", "out_of_order"];

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

Deno.test("the full chaos that is kept was as large as it must be, and broke no invariant", async () => {
  const [run] = await evidence("chaos.json");
  assert.deepEqual([run.tasks, run.thoughts, run.workers], [1_000_000, 50_000, 64]);
  for (const { key } of INVARIANTS) {
    if (!SINCE_THE_FULL_RUN.includes(key)) assert.equal(run[key], 0, key);
  }
  assertTold("Chaos", SINCE_THE_FULL_RUN.map((key) => `\`${key}\``));
  const { kill_worker, freeze_worker, terminate_worker, terminate_backends, stop_postgres } =
    run.faults_by_kind;
  assert.ok(kill_worker >= 500 && freeze_worker >= 100 && stop_postgres >= 20);
  assert.ok(terminate_worker >= 100 && terminate_backends >= 100);
  const { mails_with_key, mails_without_key } = run.emails;
  assert.deepEqual([mails_with_key.doubled, mails_with_key.parked], [0, 0]);
  assert.deepEqual([mails_without_key.doubled, mails_without_key.parked], [0, run.parked.length]);
  assert.ok(run.recovery_p99_seconds <= LEASE_SECONDS + 15);
  assertTold("Chaos", [
    `seed ${run.seed} `,
    ...[run.faults, run.executions, run.leases_lost, run.stale_refused].map(number),
    `${run.recovery_p99_seconds} s`,
    ...[mails_with_key.delivered, mails_with_key.absorbed].map(number),
    ...[mails_without_key.delivered, mails_without_key.parked].map(number),
  ]);
  for (const [kind, times] of Object.entries(run.faults_by_kind)) {
    assert.match(below("Chaos"), RegExp(`^\\| \`${kind}\` .*\\| +${times} \\|$`, "m"));
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

/** What stands below a heading has all of these in it. */
function assertTold(heading: string, words: string[]): void {
  for (const word of words) assert.ok(below(heading).includes(word), `${heading}: ${word}`);
}

/** What the tables below a heading begin their lines with. */
function namedUnder(heading: string): string[] {
  return Array.from(below(heading).matchAll(/^\| `(\w+)` /gm), ([, name]) => name).sort();
}

function below(heading: string): string {
  const [, section] = text.split(`\n## ${heading}\n`);
  return section.split("\n## ")[0];
}
