import { Command, CommanderError } from "commander";
import { VERSION } from "../../functions/_shared/version.ts";
import { backlog } from "./commands/backlog.ts";
import { claims } from "./commands/claims.ts";
import { completion } from "./commands/completion.ts";
import { dispatches } from "./commands/dispatches.ts";
import { doctor } from "./commands/doctor.ts";
import { enqueue } from "./commands/enqueue.ts";
import { gates } from "./commands/gates.ts";
import { open } from "./commands/open.ts";
import { schedules } from "./commands/schedules.ts";
import { status } from "./commands/status.ts";
import { tasks } from "./commands/tasks.ts";
import { top } from "./commands/top.ts";
import { worker } from "./commands/worker.ts";
import { explained } from "./command.ts";
import { EXIT, Failure } from "./exit_codes.ts";
import { say } from "./output.ts";
import { plain } from "./text.ts";

/** Runs one command line; returns what to exit with. */
export async function runDibs(args: string[]): Promise<number> {
  try {
    await dibs().parseAsync(args, { from: "user" });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrongUse;
    if (!(error instanceof Failure)) throw error;
    if (error.message) say(`error: ${plain(error.message)}`);
    if (error.hint) say(plain(error.hint));
    return error.code;
  }
}

function dibs(): Command {
  const program = new Command("dibs")
    .description("Looks at work that is shared on Supabase, and looks after it.")
    .version(VERSION)
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError("(--help says more)");
  explained(program, ["dibs status", "dibs top", "dibs tasks list --status failed"]);
  const add = [status, top, backlog, tasks, claims, enqueue, worker, gates, schedules, dispatches];
  for (const one of [...add, doctor, open, completion]) one(program);
  return program;
}
