import { dirname, join } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";

/** What `generate`, `check`, `add`, `remove` and the bench run on and look at. */
const COPIED = [
  "README.md",
  "deno.json",
  "docs",
  "functions",
  "package.json",
  "scripts",
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
