import type { Command } from "commander";
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
    if (isLocal) return await inBrowser(`${url}/dashboard`);
    const env = { SUPABASE_URL: url, SUPABASE_SECRET_KEY: secretKey };
    const code = await runScript("scripts/dashboard.ts", [], env);
    if (code !== 0) throw new Failure(EXIT.failed, "");
  });
}

/** The address is told, too: on a machine without a browser one opens it on another. */
async function inBrowser(url: string): Promise<void> {
  await print(url);
  const [program, ...args] = browser();
  try {
    const { success } = await new Deno.Command(program, {
      args: [...args, url],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    if (!success) say(`${program} could not open it.`);
  } catch {
    say(`There is no ${program} here to open it with; BROWSER names another.`);
  }
}

function browser(): string[] {
  const chosen = Deno.env.get("BROWSER");
  if (chosen) return [chosen];
  if (Deno.build.os === "darwin") return ["open"];
  return Deno.build.os === "windows" ? ["cmd", "/c", "start", ""] : ["xdg-open"];
}
