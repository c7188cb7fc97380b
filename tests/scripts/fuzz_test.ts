import fc from "fast-check";
import assert from "node:assert/strict";
import { campaign } from "../../scripts/fuzz/campaign.ts";
import { draftsFor } from "../../scripts/fuzz/drafts.ts";
import { readEndpoints } from "../../scripts/fuzz/endpoints.ts";
import { RULES } from "../../scripts/fuzz/rules.ts";
import { runCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";

const fuzz = (...args: string[]) => runCommand("scripts/fuzz.ts", args);
const endpoints = await readEndpoints();

Deno.test("whatever is sent to an endpoint, it answers as it says, tells nothing and changes nothing it refused", async () => {
  const { output, ended, processes } = fuzz("--bodies", "2000", "--seed", "8", "--json");
  assert.equal(await ended, 0, output.stderr);
  assert.match(output.stdout, /^\{.*\}\n$/);
  assert.match(output.stderr, /Again .*: npm run fuzz -- --bodies 2000 --seed 8\n/);
  const { ok, seed, broken, endpoints: tried } = JSON.parse(output.stdout);
  assert.deepEqual([ok, seed], [true, 8]);
  assert.deepEqual(broken, Object.fromEntries(Object.keys(RULES).map((rule) => [rule, 0])));
  assert.deepEqual(Object.keys(tried), [...endpoints.keys()]);
  for (const { bodies, statuses } of Object.values<Tried>(tried)) {
    const all = Object.entries(statuses);
    assert.equal(all.reduce((sum, [, times]) => sum + times, 0), bodies);
    assert.equal(bodies, 2_000);
    // It says little about an endpoint to be refused by its door alone, or never.
    assert.ok(all.some(([status]) => status.startsWith("2")), JSON.stringify(statuses));
    assert.ok(all.filter(([status]) => status.startsWith("4")).length > 1);
  }
  assert.deepEqual(await processes(), []);
});

Deno.test("it finds an answer of the wrong kind, an echo, a leak into a log and a row too many", async () => {
  const preload = new URL("../support/planted_bugs.ts", import.meta.url).pathname;
  const plan = {
    endpoints: [endpoints.get("enqueue")!],
    bodies: 300,
    seed: 8,
    functions: { preload },
  };
  const silent = { step() {}, progress() {} };
  const findings = await campaign(plan, silent, new AbortController().signal);
  assert.equal(findings.ok, false);
  assert.deepEqual(Object.keys(findings.broken).sort(), Object.keys(RULES).sort());
  const why = (rule: string) => findings.told.find((one) => one.rule === rule)!;
  assert.match(why("status").why, /418/);
  assert.match(why("shape").why, /an error with stack/);
  assert.match(why("echo").why, /xq7canary|703141592653/);
  assert.match(why("logged").why, /^functions\.log: .*(xq7canary|703141592653)/);
  assert.equal(why("changed").why, "dibs.log: INSERT, dibs.ready: INSERT");
  assert.match(why("changed").request!, /^\w+ \/enqueue/);
});

Deno.test("interrupted in the middle it stops everything it started", async () => {
  const { child, output, ended, processes } = fuzz("--bodies", "100000", "--json");
  await eventually("bodies being sent", () => /claim: 0 of 100,000/.test(output.stderr), 180);
  child.kill("SIGINT");
  assert.equal(await ended, 130, output.stderr);
  assert.equal(output.stdout, "");
  assert.deepEqual(await processes(), []);
});

Deno.test("a seed gives the same bodies again", () => {
  for (const endpoint of endpoints.values()) {
    const drafts = (seed: number) =>
      fc.sample(draftsFor(endpoint), { numRuns: 100, seed })
        .map(({ encode, body, ...draft }) => ({
          ...draft,
          body: body && [...encode(body)].join(),
        }));
    assert.deepEqual(drafts(1), drafts(1));
    assert.notDeepEqual(drafts(1), drafts(2));
  }
});

Deno.test("the bodies it begins with are those that functions/openapi.json allows", () => {
  for (const { bodies, allows } of endpoints.values()) {
    if (!bodies) continue;
    for (const body of fc.sample(bodies, { numRuns: 200, seed: 8 })) {
      assert.ok(allows(withoutPlaces(body)), JSON.stringify(body));
    }
  }
});

Deno.test("npm run fuzz refuses what it does not know, and says what it does", async () => {
  for (const args of [["--nonsense"], ["--bodies", "many"], ["--endpoint", "nothing"]]) {
    const { output, ended } = fuzz(...args);
    assert.notEqual(await ended, 0);
    assert.match(output.stderr, /error: /);
  }
  const { output, ended } = fuzz("--help");
  assert.equal(await ended, 0);
  assert.match(
    output.stdout,
    /--bodies[\s\S]+--seed[\s\S]+Examples:[\s\S]+changed: no refused call/,
  );
});

interface Tried {
  bodies: number;
  statuses: Record<string, number>;
}

/** With a fence and an id instead of the places for those that are at hand when it is sent. */
function withoutPlaces(body: unknown): unknown {
  return JSON.parse(
    JSON.stringify(body)
      .replace(/@fence \d+@/g, "1")
      .replace(/@id \d+@/g, "00000000-0000-4000-8000-000000000001"),
  );
}
