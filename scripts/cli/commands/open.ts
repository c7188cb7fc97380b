import type { Command } from "commander";
import { openInBrowser } from "../../open_in_browser.ts";
import { connecting, type Options } from "../command.ts";
import { EXIT, Failure } from "../exit_codes.ts";
import { print, say } from "../output.ts";
import { findProject } from "../project.ts";
import { runScript } from "../script.ts";

export function open(program: Command): void {
  connecting(program, "open", "Open the dashboard in a browser.", [
    "dibs open",
    "BROWSER=firefox dibs open",
    "SUPABASE_SECRET_KEY=sb_secret_… dibs open --url https://<ref>.supabase.co",
  ]).action(async (options: Options) => {
    const { isLocal, name, url, secretKey } = await findProject(options);
    say(`The dashboard of ${name}`);
    if (isLocal) return await show(`${url}/dashboard`);
    const env = { SUPABASE_URL: url, SUPABASE_SECRET_KEY: secretKey };
    const code = await runScript("scripts/dashboard.ts", [], env);
    if (code !== 0) throw new Failure(EXIT.failed, "");
  });
}

/** The address is told, too: on a machine without a browser one opens it on another. */
async function show(url: string): Promise<void> {
  await print(url);
  const problem = await openInBrowser(url);
  if (problem) say(problem);
}
