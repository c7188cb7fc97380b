import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of this repository. */
export const PROJECT_DIR = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Applies `supabase/migrations` of a project with the real `supabase db push`.
 * A migration that fails ends in an error that shows the failing statement.
 */
export async function migrate(databaseUrl: string, projectDir = PROJECT_DIR): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(
    join(PROJECT_DIR, "node_modules/.bin/supabase"),
    {
      args: ["db", "push", "--db-url", `${databaseUrl}?sslmode=disable`, "--yes"],
      cwd: projectDir,
      env: {
        SUPABASE_TELEMETRY_DISABLED: "1",
        DO_NOT_TRACK: "1",
        SUPABASE_NO_UPDATE_NOTIFIER: "1",
      },
    },
  ).output();
  if (success) return;
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim()).join("\n");
  throw new Error(`supabase db push failed:\n${said}`);
}
