import { join } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";

const COPIED = ["functions", "scripts", "supabase", "deno.json", "package.json"];

/** The project without its tests and docs in a folder of its own, removed on dispose. */
export async function copyOfProject(): Promise<{ dir: string } & AsyncDisposable> {
  const dir = await Deno.makeTempDir({ prefix: "dibs-test-copy-" });
  // Where the tests run as root, PostgreSQL does not.
  await Deno.chmod(dir, 0o755);
  const from = COPIED.map((name) => join(PROJECT_DIR, name));
  await new Deno.Command("cp", { args: ["-R", ...from, dir] }).output();
  await Deno.symlink(join(PROJECT_DIR, "node_modules"), join(dir, "node_modules"));
  return { dir, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}
