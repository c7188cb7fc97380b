import type { Command } from "commander";
import { connecting, type Options } from "../command.ts";
import { Failure } from "../exit_codes.ts";
import { say } from "../output.ts";
import { findProject } from "../project.ts";
import { runScript } from "../script.ts";

export function worker(program: Command): void {
  connecting(
    program,
    "worker",
    "Work on tasks, or on rows, with the handlers of this repository.",
    [
      "dibs worker",
      "dibs worker -- --types generate_care_plan --concurrency 8",
      "dibs worker -- --help",
    ],
  )
    .argument("[options...]", "after --, what `npm run worker` takes")
    .action(async (args: string[], options: Options) => {
      if (args.includes("--help")) return await end(await runScript("scripts/worker.ts", args, {}));
      const { name, url, secretKey } = await findProject(options);
      say(`Talking to ${name}`);
      await end(
        await runScript("scripts/worker.ts", args, {
          SUPABASE_URL: url,
          SUPABASE_SECRET_KEY: secretKey,
        }),
      );
    });
}

/** It has said all there is to say. */
function end(code: number): void {
  if (code !== 0) throw new Failure(code as Failure["code"], "");
}
