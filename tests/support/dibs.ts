import { join } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";

/** A shell in which `dibs` is the command line of this repository. */
export interface Dibs extends AsyncDisposable {
  /** What a line of bash prints, and its exit code. */
  run(line: string, env?: Record<string, string>): Promise<Ran>;
  /** The environment of that shell. */
  env: Record<string, string>;
}

export interface Ran {
  code: number;
  out: string;
  err: string;
}

/** Everything that says which project is meant, and how to print; a test sets what it is about. */
const UNSET = {
  SUPABASE_URL: "",
  SUPABASE_DB_URL: "",
  SUPABASE_SECRET_KEY: "",
  NO_COLOR: "",
  FORCE_COLOR: "",
  COLUMNS: "",
  BROWSER: "true",
};

/** Such a shell, with more of an environment. */
export async function dibsShell(more: Record<string, string> = {}): Promise<Dibs> {
  const dir = await Deno.makeTempDir({ prefix: "dibs-test-cli-" });
  const program = join(dir, "dibs");
  await Deno.writeTextFile(
    program,
    `#!/bin/sh\nexec ${Deno.execPath()} run --allow-all --no-lock --quiet ` +
      `--config ${join(PROJECT_DIR, "deno.json")} ${join(PROJECT_DIR, "scripts/dibs.ts")} "$@"\n`,
    { mode: 0o755 },
  );
  const env = { ...UNSET, PATH: `${dir}:${Deno.env.get("PATH")}`, ...more };
  return {
    env,
    run: async (line, extra = {}) => {
      const { code, stdout, stderr } = await new Deno.Command("bash", {
        args: ["-c", line],
        env: { ...env, ...extra },
        stdin: "null",
      }).output();
      const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
      return { code, out, err };
    },
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}
