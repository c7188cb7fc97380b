// `npm run dashboard` as its user meets it.
import assert from "node:assert/strict";
import { runCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { testStack } from "../support/stack.ts";

const SCRIPT = "scripts/dashboard.ts";

Deno.test("the dashboard serves the stack on this machine until it is told to stop", async () => {
  await using stack = await testStack();
  const command = runCommand(SCRIPT, ["--state", stack.stateDir, "--port", "0", "--json"]);
  await eventually("it serves", () => command.output.stdout.endsWith("\n"));
  const told = JSON.parse(command.output.stdout);
  assert.equal(told.project, stack.url);
  assert.match(told.url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
  const page = await fetch(told.url);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<title>Dibs<\/title>/);
  for (const asset of ["main.js", "main.css", "icon.svg"]) {
    const { status, body } = await fetch(`${told.url}assets/${asset}`);
    await body?.cancel();
    assert.equal(status, 200, asset);
  }
  command.child.kill("SIGTERM");
  assert.equal(await command.ended, 0);
  assert(!JSON.stringify(command.output).includes(stack.secretKey));
});

Deno.test("the stack itself serves the dashboard at /dashboard", async () => {
  await using stack = await testStack();
  const page = await fetch(`${stack.url}/dashboard`);
  assert.equal(page.url, `${stack.url}/dashboard/`);
  assert.match(await page.text(), /src="\/dashboard\/assets\/main\.js"/);
  const workers = await fetch(`${stack.url}/dashboard/api/workers`);
  assert.deepEqual(await workers.json(), []);
  const elsewhere = await fetch(`${stack.url}/dashboards`);
  assert.equal(elsewhere.status, 404);
  await elsewhere.body?.cancel();
});

Deno.test("the dashboard says what it lacks", async () => {
  const cases: [string[], Record<string, string>, number, RegExp][] = [
    [["--help"], {}, 0, /SUPABASE_SECRET_KEY[\s\S]*Examples:\n {2}npm run dashboard\n/],
    [["--port", "x"], {}, 2, /whole number from 0/],
    [["--colour"], {}, 2, /unknown option/],
    [["--state", "/nowhere"], {}, 2, /no stack runs in \/nowhere, and no project was given/],
    [[], { SUPABASE_URL: "https://x.supabase.co" }, 2, /SUPABASE_SECRET_KEY is missing/],
    [[], { SUPABASE_URL: "x", SUPABASE_SECRET_KEY: "y" }, 2, /SUPABASE_URL is not a URL/],
  ];
  for (const [args, env, code, says] of cases) {
    const { ended, output } = runCommand(SCRIPT, args, env);
    assert.equal(await ended, code, JSON.stringify(output));
    assert.match(output.stdout + output.stderr, says);
  }
});
