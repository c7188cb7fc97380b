import assert from "node:assert/strict";
import postgres from "postgres";
import { choosePort } from "../../../scripts/stack/ports.ts";
import { startStack } from "../../../scripts/stack/stack.ts";
import { eventually } from "../../support/eventually.ts";
import { scratchProject } from "../../support/project.ts";
import { testStack } from "../../support/stack.ts";

const PROJECT = {
  migration: "create table public.kept (id int primary key);",
  functions: { ping: "export default { fetch: () => new Response('pong') };" },
};

async function ping(url: string): Promise<boolean> {
  const response = await fetch(`${url}/functions/v1/ping`).catch(() => null);
  return await response?.text() === "pong";
}

function isRunning(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT"); // Does nothing to a process that runs.
    return true;
  } catch {
    return false;
  }
}

async function withFolder(test: (stateDir: string, projectDir: string) => Promise<void>) {
  await using project = await scratchProject(PROJECT);
  const stateDir = await Deno.makeTempDir({ prefix: "dibs-test-state-" });
  try {
    await test(stateDir, project.dir);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
}

Deno.test("a second start finds the data and the keys of the first; a fresh one begins anew", async () => {
  await withFolder(async (stateDir, projectDir) => {
    const start = async (fresh: boolean) => {
      const stack = await startStack({ stateDir, projectDir, port: 0, fresh });
      const sql = postgres(stack.databaseUrl, { max: 1 });
      return { stack, sql, stop: () => sql.end().then(stack.stop) };
    };
    const first = await start(false);
    await first.sql`insert into public.kept values (1)`;
    await first.stop();

    const second = await start(false);
    assert.equal((await second.sql`select from public.kept`).length, 1);
    assert.equal(second.stack.secretKey, first.stack.secretKey);
    const [vault] = await second.sql`
      select decrypted_secret as url from vault.decrypted_secrets where name = 'dibs_project_url'`;
    assert.equal(vault.url, second.stack.url);
    await second.stop();

    const fresh = await start(true);
    assert.equal((await fresh.sql`select from public.kept`).length, 0);
    assert.notEqual(fresh.stack.secretKey, first.stack.secretKey);
    await fresh.stop();
  });
});

Deno.test("two stacks run at once; a taken port is left alone and another is told", async () => {
  await using project = await scratchProject(PROJECT);
  await using first = await testStack({ projectDir: project.dir, port: choosePort() });
  const told: string[] = [];
  await using second = await testStack({
    projectDir: project.dir,
    port: Number(new URL(first.url).port),
    onProgress: (message) => told.push(message),
  });
  assert.notEqual(second.url, first.url);
  assert.match(told.join("\n"), /Port \d+ is taken, using \d+/);
  assert.equal(await ping(first.url) && await ping(second.url), true);
});

Deno.test("two stacks that start at the same time stay apart", async () => {
  await using project = await scratchProject(PROJECT);
  await using parts = new AsyncDisposableStack();
  const stacks = await Promise.all([1, 2].map(async () => {
    return parts.use(await testStack({ projectDir: project.dir }));
  }));
  const addresses = stacks.flatMap(({ url, databaseUrl, mailUrl }) => [url, databaseUrl, mailUrl]);
  assert.equal(new Set(addresses.map((address) => new URL(address).port)).size, 6);
  for (const { url, secretKey } of stacks) {
    const response = await fetch(`${url}/rest/v1/kept`, { headers: { apikey: secretKey } });
    await response.body?.cancel();
    assert.notEqual(response.status, 401);
  }
});

Deno.test("a second stack in the same folder is refused, naming the running one", async () => {
  await withFolder(async (stateDir, projectDir) => {
    const stack = await startStack({ stateDir, projectDir, port: 0 });
    await assert.rejects(
      startStack({ stateDir, projectDir, port: 0 }),
      (error: Error) => error.message.includes(stack.url),
    );
    assert.equal(await ping(stack.url), true);
    await stack.stop();
  });
});

Deno.test("a killed part of the stack is started again, and the rest goes on", async () => {
  await using project = await scratchProject(PROJECT);
  await using stack = await testStack({ projectDir: project.dir });
  for (const part of ["functions", "gateway", "postgres"] as const) {
    const before = stack.pids;
    Deno.kill(before[part], "SIGKILL");
    await eventually(`${part} under another pid`, () => stack.pids[part] !== before[part]);
    assert.deepEqual({ ...stack.pids, [part]: 0 }, { ...before, [part]: 0 });
    await eventually("the function", () => ping(stack.url));
    await eventually("the data API", async () => {
      const headers = { apikey: stack.secretKey };
      const response = await fetch(`${stack.url}/rest/v1/rpc/none`, { headers, method: "POST" })
        .catch(() => null);
      await response?.body?.cancel();
      return response?.status === 404;
    });
  }
});

Deno.test("after stop nothing of the stack is left running", async () => {
  await using project = await scratchProject(PROJECT);
  let pids: number[];
  let url: string;
  {
    await using stack = await testStack({ projectDir: project.dir });
    pids = Object.values(stack.pids);
    url = stack.url;
    assert.deepEqual(pids.map(isRunning), [true, true, true]);
  }
  assert.deepEqual(pids.map(isRunning), [false, false, false]);
  await assert.rejects(fetch(url));
});

Deno.test("when whoever started the stack is killed, all of it ends, and the next start works", async () => {
  await withFolder(async (stateDir, projectDir) => {
    const program = `
      import { startStack } from ${
      JSON.stringify(import.meta.resolve("../../../scripts/stack/stack.ts"))
    };
      const options = ${JSON.stringify({ stateDir, projectDir, port: 0 })};
      console.log(JSON.stringify(Object.values((await startStack(options)).pids)));
    `;
    const starter = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-lock", program],
      cwd: new URL("../../../", import.meta.url),
      stdout: "piped",
    }).spawn();
    const reader = starter.stdout.getReader();
    const pids: number[] = JSON.parse(new TextDecoder().decode((await reader.read()).value));
    assert.deepEqual(pids.map(isRunning), [true, true, true]);
    starter.kill("SIGKILL");
    await starter.status;
    await reader.cancel();
    await eventually("the end of every process", () => !pids.some(isRunning));

    const next = await startStack({ stateDir, projectDir, port: 0 });
    assert.equal(await ping(next.url), true);
    await next.stop();
  });
});

Deno.test("a migration that fails is shown with its statement, and nothing stays running", async () => {
  await using project = await scratchProject({
    migration: "create table public.a (id int);\ncreate tabel public.b (id int);",
  });
  const { message } = await testStack({ projectDir: project.dir }).then(
    () => assert.fail("the stack started"),
    (error: Error) => error,
  );
  assert.match(message, /supabase db push failed/);
  assert.match(message, /create tabel public\.b/);
});
