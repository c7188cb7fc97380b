import { join } from "node:path";
import { PROJECT_DIR } from "../stack/migrate.ts";

/** Runs another program of this repository in place of this one; returns what it exits with. */
export async function runScript(
  script: string,
  args: string[],
  env: Record<string, string>,
): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-lock", "--quiet", join(PROJECT_DIR, script), ...args],
    cwd: PROJECT_DIR,
    env,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  // A terminal's Ctrl-C reaches it by itself; a second copy would read as "stop at once".
  const isShared = Deno.stdin.isTerminal();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      if (signal !== "SIGINT" || !isShared) child.kill(signal);
    });
  }
  return (await child.status).code;
}
