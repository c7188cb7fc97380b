import assert from "node:assert/strict";

/** Runs a process in which an error is thrown from a timer, out of a file of that name. */
function throwFrom(file: string): Promise<{ code: number; printed: string }> {
  return outcomeOf(`
    const lost = Object.assign(new Error("lost"), { stack: "at write (${file}:1:1)" });
    setTimeout(() => { throw lost; });`);
}

/** Runs a process in which a promise that nobody holds is rejected with an error of that code. */
function rejectWith(code: string): Promise<{ code: number; printed: string }> {
  return outcomeOf(`Promise.reject(Object.assign(new Error("no"), { code: "${code}" }));`);
}

async function outcomeOf(script: string): Promise<{ code: number; printed: string }> {
  const module = import.meta.resolve("../../../scripts/stack/lost_connections.ts");
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--no-lock",
      `import { surviveLostConnections } from ${JSON.stringify(module)};
      surviveLostConnections();
      ${script}
      setTimeout(() => console.log("alive"), 10);`,
    ],
    stderr: "null",
  }).output();
  return { code, printed: new TextDecoder().decode(stdout) };
}

Deno.test("a process outlives what the driver throws at a connection that is gone", async () => {
  const outcome = await throwFrom("file:///project/node_modules/postgres/src/connection.js");
  assert.deepEqual(outcome, { code: 0, printed: "alive\n" });
});

Deno.test("what anything else throws still ends the process", async () => {
  const outcome = await throwFrom("file:///project/scripts/start.ts");
  assert.deepEqual(outcome, { code: 1, printed: "" });
});

for (const code of ["CONNECTION_CLOSED", "ECONNRESET", "57P03"]) {
  Deno.test(`a process outlives ${code} in a promise of the driver's own`, async () => {
    assert.deepEqual(await rejectWith(code), { code: 0, printed: "alive\n" });
  });
}

Deno.test("a query that was wrong and that nobody looked after still ends the process", async () => {
  assert.deepEqual(await rejectWith("42P01"), { code: 1, printed: "" });
});
