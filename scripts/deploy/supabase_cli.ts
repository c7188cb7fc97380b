import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { PROJECT_DIR } from "../stack/migrate.ts";

/** The CLI, where `npm ci` puts it. */
const PROGRAM = join(PROJECT_DIR, "node_modules/.bin/supabase");

/** What it says beside the matter. */
const NOISE =
  /^(Try rerunning the command with --debug|A new version of Supabase CLI|We recommend updating)/;

/** The CLI did not do it; the message is what it said. */
export class CliError extends Error {
  override readonly name = "CliError";
}

/**
 * Runs the real Supabase CLI in this repository and returns what it printed, on standard output
 * and on standard error. Secrets go into `env` or a file: everybody on this machine can read `args`.
 */
export async function supabase(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ stdout: string; stderr: string }> {
  const command = new Deno.Command(PROGRAM, {
    args,
    cwd: PROJECT_DIR,
    env: {
      ...env,
      NO_COLOR: "1",
      SUPABASE_TELEMETRY_DISABLED: "1",
      DO_NOT_TRACK: "1",
      SUPABASE_NO_UPDATE_NOTIFIER: "1",
    },
    stdin: "null",
  });
  const output = await command.output().catch((error) => {
    throw new CliError(`${PROGRAM} does not run: ${error.message}`);
  });
  const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) =>
    stripVTControlCharacters(new TextDecoder().decode(bytes))
  );
  if (output.success) return { stdout, stderr };
  const said = `${stdout}\n${stderr}`.split("\n").filter((line) => line && !NOISE.test(line));
  throw new CliError(`supabase ${args.slice(0, 2).join(" ")} failed:\n${said.join("\n")}`);
}
