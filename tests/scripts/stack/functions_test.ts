import assert from "node:assert/strict";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { scratchProject } from "../../support/project.ts";
import { testStack } from "../../support/stack.ts";

const FUNCTIONS = {
  echo: `export default {
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const body = await request.text();
      return Response.json({ method: request.method, pathname, search, body, own: request.headers.get("x-own") });
    },
  };`,
  environment: `export default { fetch: () => Response.json(Deno.env.toObject()) };`,
  broken: `import "./missing.ts"; export default { fetch: () => new Response("") };`,
  throwing: `export default { fetch() { throw new Error("secret text") } };`,
  stray:
    `export default { fetch() { Promise.reject(new Error("stray")); return new Response("{}"); } };`,
  background: `export default {
    fetch(request) {
      const { pathname } = new URL(request.url);
      const file = new URL(request.url).searchParams.get("file");
      const told = new Promise((resolve) => addEventListener("beforeunload", (event) => resolve(event.detail.reason)));
      EdgeRuntime.waitUntil(told.then((reason) => Deno.writeTextFile(file, reason)));
      return new Response(null, { status: 202 });
    },
  };`,
};

Deno.test("functions are served as on a hosted project", async (t) => {
  await using project = await scratchProject({ functions: FUNCTIONS });
  await using stack = await testStack({ projectDir: project.dir });
  const call = async (path: string, init?: RequestInit) => {
    const response = await fetch(`${stack.url}/functions/v1/${path}`, init);
    return { status: response.status, body: await response.json() };
  };

  await t.step(
    "a request reaches its function whole, at the path hosted functions see",
    async () => {
      const { status, body } = await call("echo/sub?a=1", {
        method: "PUT",
        body: "text",
        headers: { "x-own": "1" },
      });
      assert.equal(status, 200);
      assert.deepEqual(body, {
        method: "PUT",
        pathname: "/echo/sub",
        search: "?a=1",
        body: "text",
        own: "1",
      });
    },
  );

  await t.step("the environment has the names hosted functions have", async () => {
    const { body } = await call("environment");
    assert.equal(body.SUPABASE_URL, stack.url);
    assert.deepEqual(JSON.parse(body.SUPABASE_SECRET_KEYS), { default: stack.secretKey });
    assert.deepEqual(JSON.parse(body.SUPABASE_PUBLISHABLE_KEYS), { default: stack.publishableKey });
    assert.equal(body.DIBS_DISPATCH_SECRET, stack.dispatchSecret);
    assert.equal(body.DIBS_MAIL_URL, stack.mailUrl);
  });

  await t.step("an unknown function is not found", async () => {
    const { status, body } = await call("nope");
    assert.deepEqual([status, body.code], [404, "NOT_FOUND"]);
  });

  await t.step("a function that does not load fails alone, and says so", async () => {
    const { status, body } = await call("broken");
    assert.deepEqual([status, body.code], [503, "BOOT_ERROR"]);
    assert.equal((await call("echo")).status, 200);
  });

  await t.step("what a function throws is logged, not told", async () => {
    const { status, body } = await call("throwing");
    assert.equal(status, 500);
    assert.doesNotMatch(JSON.stringify(body), /secret text/);
    await eventually("the log line", async () => {
      return (await Deno.readTextFile(join(stack.stateDir, "functions.log"))).includes(
        "secret text",
      );
    });
  });

  await t.step("a stray rejection in one function leaves the process running", async () => {
    const { functions } = stack.pids;
    await call("stray");
    assert.equal((await call("echo")).status, 200);
    assert.equal(stack.pids.functions, functions);
  });
});

Deno.test("background work is told of the end of the stack and may finish", async () => {
  await using project = await scratchProject({ functions: FUNCTIONS });
  const file = join(project.dir, "told");
  {
    await using stack = await testStack({ projectDir: project.dir });
    const answer = await fetch(`${stack.url}/functions/v1/background?file=${file}`);
    assert.equal(answer.status, 202);
    await answer.body?.cancel();
  }
  assert.equal(await Deno.readTextFile(file), "termination");
});
