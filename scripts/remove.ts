import { Command } from "commander";
import { readRelease } from "./adopt/release.ts";
import { planRemoval } from "./adopt/removal.ts";
import { type Options, run } from "./adopt/run.ts";

interface RemoveOptions extends Options {
  from: string;
  neverPushed?: boolean;
  force?: boolean;
}

const program = new Command("npm run remove --")
  .description(
    "Takes Dibs out of a Supabase project of yours: its functions and its part of\n" +
      "supabase/config.toml. Its migrations stay, since databases have them in their history; one\n" +
      "more drops what they made, all but public.thoughts, with the next push.",
  )
  .requiredOption("--from <folder>", "the project: the folder that has supabase/config.toml")
  .option("--never-pushed", "no database was ever given the migrations: delete them instead")
  .option("--dry-run", "show what would change, and change nothing")
  .option("--force", "delete files of Dibs that you changed as well")
  .option("--json", "end standard output with the result as one line of JSON, all else on stderr")
  .addHelpText(
    "after",
    `
Handlers and other files that you wrote or changed stay, and are listed.

Exit code 1: there is no Dibs, or something of yours is in the way; nothing was changed.

Environment: none.

Examples:
  npm run remove -- --from ../shop --dry-run
  npm run remove -- --from ../shop
  npm run remove -- --from ../shop --never-pushed`,
  )
  .exitOverride();

Deno.exit(
  await run<RemoveOptions>(
    program,
    ({ from }) => from,
    async (repository, options) => planRemoval(repository, await readRelease(), options),
  ),
);
