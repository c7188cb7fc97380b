import assert from "node:assert/strict";
import { type Dibs, dibsShell } from "../../support/dibs.ts";

Deno.test("bash completes commands, what is below them, and their options", async () => {
  await using dibs = await dibsShell();
  assert.deepEqual(await completed(dibs, "dibs ta"), ["tasks"]);
  assert.deepEqual(await completed(dibs, "dibs tasks re"), ["retry", "redrive"]);
  assert.deepEqual(await completed(dibs, "dibs tasks list --status failed --created-"), [
    "--created-before",
    "--created-after",
  ]);
  assert.deepEqual(await completed(dibs, "dibs claims show thoughts --js"), ["--json"]);
  assert.deepEqual(await completed(dibs, "dibs nothing-like-this x"), []);
  const all = await completed(dibs, "dibs ");
  for (const name of ["status", "top", "enqueue", "open", "completion"]) {
    assert.ok(all.includes(name));
  }
});

Deno.test("zsh and fish get scripts, other shells are told which there are", async () => {
  await using dibs = await dibsShell();
  assert.match((await dibs.run("dibs completion zsh")).out, /compdef _dibs dibs\n$/);
  assert.match((await dibs.run("dibs completion fish")).out, /^complete -c dibs .* -a '.*redrive/m);
  const other = await dibs.run("dibs completion tcsh");
  assert.equal(other.code, 2);
  assert.match(other.err, /bash, zsh, fish/);
});

/** What bash offers when Tab is pressed at the end of a line. */
async function completed(dibs: Dibs, line: string): Promise<string[]> {
  const words = line.split(" ");
  const { code, out, err } = await dibs.run(`
    eval "$(dibs completion bash)"
    complete -p dibs > /dev/null
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})
    COMP_CWORD=${words.length - 1}
    _dibs
    printf '%s\\n' "\${COMPREPLY[@]}"`);
  assert.deepEqual([code, err], [0, ""]);
  return out.split("\n").filter(Boolean);
}
