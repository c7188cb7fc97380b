import assert from "node:assert/strict";

/** Runs a process in which an error is thrown from a timer, out of a file of that name. */
async function throwFrom(file: string): Promise<{ code: number; printed: string }> {
  const module = import.meta.resolve("../../../scripts/stack/lost_connections.ts");
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--no-lock",
      `import { surviveLostConnections } from ${JSON.stringify(module)};
      surviveLostConnections();
      const lost = Object.assign(new Error("lost"), { stack: "at write (${file}:1:1)" });
      setTimeout(() => { throw lost; });
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
