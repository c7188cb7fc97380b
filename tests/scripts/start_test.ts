import assert from "node:assert/strict";
import { join } from "node:path";
import { runCommand, runNpm } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";

const start = (args: string[]) => runCommand("scripts/start.ts", ["--port", "0", ...args]);

Deno.test("npm start proves what it promises, again on its own data, and leaves nothing running", async (test) => {
  const state = await Deno.makeTempDir({ prefix: "dibs-test-start-" });

  await test.step("with --json, standard output ends with one line that says so", async () => {
    const { output, ended, processes } = start(["--exit", "--json", "--state", state]);
    assert.equal(await ended, 0, output.stderr);
    assert.match(output.stdout, /^\{.*\}\n$/);
    const proof = JSON.parse(output.stdout);
    assert.deepEqual(proof.tasks, { enqueued: 2000, completed: 2000, lost: 0 });
    assert.deepEqual(proof.thoughts, {
      enqueued: 1000,
      claimed: 1000,
      succeeded: 1000,
      lost: 0,
    });
    assert.equal(proof.double_holds, 0);
    assert.equal(proof.items, 3000);
    assert.ok(proof.executions >= 3000);
    assert.deepEqual([proof.emails.sent, proof.emails.recipients], [200, 200]);
    assert.deepEqual([proof.workers.started, proof.workers.killed], [5, 1]);
    assert.ok(proof.workers.held_tasks > 0 && proof.workers.held_thoughts > 0);
    const { held_tasks, held_thoughts, recovered_items } = proof.workers;
    assert.equal(recovered_items, held_tasks + held_thoughts);
    assert.ok(proof.drains.started > 0 && proof.drains.completed > 0);
    assert.match(proof.url, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(proof.ok, true);
    assert.deepEqual(await processes(), []);
  });

  await test.step("SIGTERM in the middle stops every process", async () => {
    const { child, output, ended, processes } = start(["--json", "--state", state]);
    await eventually("workers at work", () => output.stderr.includes("workers started"), 60);
    // The launcher, the supervisor, PostgreSQL, data API, functions and five workers at least.
    assert.ok((await processes()).length >= 10);
    child.kill("SIGTERM");
    assert.equal(await ended, 143, output.stderr);
    assert.equal(output.stdout, "");
    assert.deepEqual(await processes(), []);
  });

  await test.step("on the data of an interrupted run, people read the same", async () => {
    const { output, ended, processes } = start(["--exit", "--state", state]);
    assert.equal(await ended, 0, output.stdout);
    assert.match(output.stdout, /\nProven\n/);
    assert.match(output.stdout, /✓ {2}Tasks completed +2,000 of 2,000, none lost/);
    assert.match(output.stdout, /✓ {2}Thoughts enriched +1,000 of 1,000, none lost/);
    assert.match(output.stdout, /✓ {2}Held by two at once +never/);
    assert.equal(output.stderr, "");
    assert.deepEqual(await processes(), []);
  });

  await Deno.remove(state, { recursive: true });
});

Deno.test("npm start stays up after --no-demo until it is told to stop", async () => {
  const state = await Deno.makeTempDir({ prefix: "dibs-test-start-" });
  const { child, output, ended, processes } = start(["--no-demo", "--json", "--state", state]);
  const { url, ok } = JSON.parse(await eventually("the result", () => output.stdout, 60));
  assert.equal(ok, true);
  const { secretKey } = JSON.parse(await Deno.readTextFile(join(state, "secrets.json")));
  const response = await fetch(`${url}/functions/v1/status`, { headers: { apikey: secretKey } });
  assert.equal(response.status, 200);
  assert.equal((await response.json()).tasks.completed ?? 0, 0);
  child.kill("SIGINT");
  assert.equal(await ended, 0, output.stderr);
  assert.deepEqual(await processes(), []);
  await Deno.remove(state, { recursive: true });
});

Deno.test("npm start ends with npm, also when npm gets no word out", async () => {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const state = await Deno.makeTempDir({ prefix: "dibs-test-start-" });
    const args = ["--no-demo", "--json", "--port", "0", "--state", state];
    const { child, output, ended, processes } = runNpm("start", args);
    await eventually("the result", () => output.stdout, 60);
    child.kill(signal);
    await eventually("no process is left", async () => (await processes()).length === 0, 30);
    await ended;
    await Deno.remove(state, { recursive: true });
  }
});

Deno.test("npm start refuses what it does not know, and says what it does", async () => {
  for (const args of [["--nonsense"], ["--port", "many"]]) {
    const { output, ended } = start(args);
    assert.equal(await ended, 2);
    assert.match(output.stderr, /error: /);
  }
  const { output, ended } = start(["--help"]);
  assert.equal(await ended, 0);
  assert.match(output.stdout, /--exit[\s\S]+--json[\s\S]+--fresh[\s\S]+Examples:/);
});
