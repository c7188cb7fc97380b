import { dirname, join } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";

/** What `generate`, `check`, `add` and `remove` run on and look at, and little more. */
const COPIED = [
  "README.md",
  "deno.json",
  "docs",
  "functions",
  "package.json",
  "scripts/add.ts",
  "scripts/adopt",
  "scripts/bench",
  "scripts/bench.ts",
  "scripts/check",
  "scripts/check.ts",
  "scripts/generate",
  "scripts/generate.ts",
  "scripts/git.ts",
  "scripts/interrupt.ts",
  "scripts/numbers.ts",
  "scripts/options.ts",
  "scripts/remove.ts",
  "scripts/screen.ts",
  "scripts/stack",
  "scripts/vault.ts",
  "supabase",
];

/** Part of the project in a folder of its own, to be spoiled; removed on dispose. */
export async function copyOfProject(): Promise<{ dir: string } & AsyncDisposable> {
  const dir = await Deno.makeTempDir({ prefix: "dibs-test-copy-" });
  // Where the tests run as root, PostgreSQL does not.
  await Deno.chmod(dir, 0o755);
  for (const path of COPIED) {
    await Deno.mkdir(join(dir, dirname(path)), { recursive: true });
    const args = ["-R", join(PROJECT_DIR, path), join(dir, path)];
    await new Deno.Command("cp", { args }).output();
  }
  await Deno.symlink(join(PROJECT_DIR, "node_modules"), join(dir, "node_modules"));
  return { dir, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}
