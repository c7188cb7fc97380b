import { PROJECT_DIR } from "./stack/migrate.ts";

/** What git says of this repository; nothing where the code is not in one. */
export async function git(...args: string[]): Promise<string> {
  const command = new Deno.Command("git", { args, cwd: PROJECT_DIR, stderr: "null" });
  const output = await command.output().catch(() => null);
  return new TextDecoder().decode(output?.stdout).trim();
}
