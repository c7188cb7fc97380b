import { join } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";

/** Runs the real CLI on a database, and tells how it ended and everything it said. */
export async function supabaseCli(
  databaseUrl: string,
  ...args: string[]
): Promise<{ code: number; said: string }> {
  const { code, stdout, stderr } = await new Deno.Command(
    join(PROJECT_DIR, "node_modules/.bin/supabase"),
    {
      args: [...args, "--db-url", `${databaseUrl}?sslmode=disable`, "--yes"],
      cwd: PROJECT_DIR,
      env: {
        SUPABASE_TELEMETRY_DISABLED: "1",
        DO_NOT_TRACK: "1",
        SUPABASE_NO_UPDATE_NOTIFIER: "1",
      },
    },
  ).output();
  return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}
