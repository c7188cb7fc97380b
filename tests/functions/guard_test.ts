import assert from "node:assert/strict";

const GUARD = new URL("../../functions/_shared/guard.ts", import.meta.url).href;

/** A process in which a handler leaves behind a rejected promise and a timer that throws. */
async function runCareless(guarded: boolean) {
  const program = `
    import { surviveStrayErrors } from "${GUARD}";
    const log = { info() {}, error: (event, { error }) => console.log(event, error), with: () => log };
    if (${guarded}) surviveStrayErrors(log);
    setTimeout(() => console.log("still here"), 100);
    Promise.reject(new TypeError("sk-SECRET"));
    setTimeout(() => { throw new RangeError("sk-SECRET"); });`;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", program],
    stdout: "piped",
    stderr: "null",
  });
  const { code, stdout } = await process.output();
  return { code, out: new TextDecoder().decode(stdout) };
}

Deno.test("what a handler leaves behind does not end the others, and is logged without its words", async () => {
  const { code, out } = await runCareless(true);
  assert.equal(code, 0);
  assert.deepEqual(out.trim().split("\n"), [
    "stray_rejection TypeError",
    "stray_error RangeError",
    "still here",
  ]);
  assert.equal((await runCareless(false)).code, 1, "without the guard it would have");
});
