// `npm run bench -- --plot`.
import assert from "node:assert/strict";
import { join } from "node:path";
import { plotFiles } from "../../../scripts/bench/plots/plots.ts";
import { PROJECT_DIR } from "../../../scripts/stack/migrate.ts";
import { copyOfProject } from "../../support/copy_of_project.ts";

Deno.test("the bench draws every plot from what is kept, without measuring anything", async () => {
  await using copy = await copyOfProject();
  const paths = Object.keys(plotFiles);
  for (const path of paths) await Deno.remove(join(copy.dir, path));
  const { code, said } = await plot(copy.dir);
  assert.equal(code, 0, said);
  assert.equal(said, paths.map((path) => `${path} written\n`).join(""));
  for (const path of paths) {
    const kept = await Deno.readTextFile(join(PROJECT_DIR, path));
    assert.equal(await Deno.readTextFile(join(copy.dir, path)), kept, `${path} is stale`);
  }

  await Deno.remove(join(copy.dir, "docs/evidence/bench-pinned.json"));
  assert.deepEqual(await plot(copy.dir), {
    code: 1,
    said: "error: docs/evidence/bench-pinned.json is missing. This makes it: " +
      "PGMQ_SQL=…/pgmq.sql npm run bench -- pinned --out docs/evidence/bench-pinned.json\n",
  });
});

Deno.test("drawing and measuring do not go together", async () => {
  for (
    const [option, message] of [
      ["--quick", "option '--plot' cannot be used with option '--quick'"],
      ["--json", "option '--plot' cannot be used with option '--json'"],
      ["drain", "--plot draws every plot, name no workload"],
    ]
  ) {
    assert.deepEqual(await plot(PROJECT_DIR, option), { code: 1, said: `error: ${message}\n` });
  }
});

async function plot(dir: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--quiet", "scripts/bench.ts", "--plot", ...args],
    cwd: dir,
  }).output();
  return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}
