import { join } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";

/** A command of package.json at work. */
export interface Command {
  child: Deno.ChildProcess;
  /** What it has printed so far. */
  output: { stdout: string; stderr: string };
  /** Its exit code, once it has ended. */
  ended: Promise<number>;
  /** The ids of all processes that it started, directly or not, and that still run. */
  processes(): Promise<string[]>;
}

/** Runs a script as npm would, but without npm. */
export function runCommand(
  script: string,
  args: string[],
  env: Record<string, string> = {},
): Command {
  // Without the dashes Node.js 20 takes --env-file for its own, wherever it stands.
  return run("node", ["--", join(PROJECT_DIR, "scripts/run.mjs"), script, ...args], env);
}

/** Runs a script of package.json through npm. */
export function runNpm(name: string, args: string[]): Command {
  return run("npm", ["run", "--silent", name, "--", ...args]);
}

/** What other tests may have set in this process. */
const UNSET = { SUPABASE_URL: "", SUPABASE_DB_URL: "", SUPABASE_SECRET_KEY: "" };

/** Marked, so that all of its processes can be found again. */
function run(program: string, args: string[], env: Record<string, string> = {}): Command {
  const mark = `DIBS_TEST_MARK=${crypto.randomUUID()}`;
  const child = new Deno.Command(program, {
    args,
    cwd: PROJECT_DIR,
    env: { ...UNSET, ...env, ...Object.fromEntries([mark.split("=")]) },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = { stdout: "", stderr: "" };
  const read = async (name: "stdout" | "stderr") => {
    for await (const text of child[name].pipeThrough(new TextDecoderStream())) output[name] += text;
  };
  const ended = Promise.all([child.status, read("stdout"), read("stderr")])
    .then(([{ code }]) => code);
  return { child, output, ended, processes: () => processesWith(mark) };
}

/** The ids of all processes that inherited a line of environment. */
async function processesWith(line: string): Promise<string[]> {
  const found = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await Deno.readTextFile(`/proc/${name}/environ`).catch(() => "");
    if (environment.split("\0").includes(line)) found.push(name);
  }
  return found;
}
