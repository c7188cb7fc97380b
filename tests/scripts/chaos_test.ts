import assert from "node:assert/strict";
import { FAULTS } from "../../scripts/chaos/faults/index.ts";
import { planFaults } from "../../scripts/chaos/schedule.ts";
import { INVARIANTS } from "../../scripts/chaos/verdict.ts";
import { runCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";

const SMALL = ["--tasks", "1000", "--workers", "8", "--faults", "16"];
const chaos = (...args: string[]) => runCommand("scripts/chaos.ts", args);

Deno.test("whatever goes wrong, nothing is lost, doubled or given to two, and nothing keeps running", async () => {
  const { output, ended, processes } = chaos(...SMALL, "--seed", "8", "--json");
  assert.equal(await ended, 0, output.stderr);
  assert.match(output.stdout, /^\{.*\}\n$/);
  const verdict = JSON.parse(output.stdout);
  assert.deepEqual(
    INVARIANTS.map(({ key }) => [key, verdict[key]]),
    INVARIANTS.map(({ key }) => [key, 0]),
  );
  assert.deepEqual(verdict.broken, {});
  assert.deepEqual([verdict.ok, verdict.seed, verdict.tasks, verdict.thoughts], [
    true,
    8,
    1000,
    50,
  ]);
  assert.equal(verdict.faults, 16);
  assert.deepEqual(
    Object.keys(verdict.faults_by_kind).sort(),
    FAULTS.map(({ name }) => name).sort(),
  );
  assert.equal(verdict.emails.mails_with_key.parked, 0);
  assert.equal(verdict.emails.mails_without_key.parked, verdict.parked.length);
  assert.ok(verdict.executions >= verdict.tasks);
  assert.deepEqual(await processes(), []);
});

Deno.test("a planted bug turns it red, and the result names what is broken and by what", async () => {
  const { output, ended, processes } = chaos("--json", "--mutation", "reap_the_living");
  assert.equal(await ended, 1, output.stderr);
  const verdict = JSON.parse(output.stdout);
  assert.equal(verdict.ok, false);
  assert.ok(verdict.lease_overlaps > 0);
  assert.match(verdict.broken.lease_overlaps[0], /^task-\d+$/);
  assert.match(output.stderr, /lease_overlaps: .*\nBroken by task-\d+/);
  assert.deepEqual(await processes(), []);
});

Deno.test("interrupted in the middle it stops everything it started", async () => {
  const { child, output, ended, processes } = chaos("--seed", "1", "--json");
  await eventually("workers at work", () => /\d of 1,050,000 ended/.test(output.stderr), 60);
  child.kill("SIGINT");
  assert.equal(await ended, 130, output.stderr);
  assert.equal(output.stdout, "");
  assert.deepEqual(await processes(), []);
});

Deno.test("a seed gives the same faults again, of every kind before one comes twice", () => {
  const planned = (seed: number) => planFaults(30, seed).map(({ fault, at }) => [fault.name, at]);
  assert.deepEqual(planned(1), planned(1));
  assert.notDeepEqual(planned(1), planned(2));
  const kinds = new Set(planFaults(FAULTS.length, 3).map(({ fault }) => fault.name));
  assert.equal(kinds.size, FAULTS.length);
  const kills = planFaults(1_140, 4).filter(({ fault }) => fault.name === "kill_worker").length;
  assert.ok(kills >= 500, `${kills} kills`);
});

Deno.test("npm run chaos refuses what it does not know, and says what it does", async () => {
  for (const args of [["--nonsense"], ["--tasks", "many"], ["--mutation", "nothing"]]) {
    const { output, ended } = chaos(...args);
    assert.notEqual(await ended, 0);
    assert.match(output.stderr, /error: /);
  }
  const { output, ended } = chaos("--help");
  assert.equal(await ended, 0);
  assert.match(output.stdout, /--quick[\s\S]+--seed[\s\S]+Examples:[\s\S]+reap_the_living/);
});
