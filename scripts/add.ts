import { Command } from "commander";
import { planAddition } from "./adopt/addition.ts";
import { readRelease } from "./adopt/release.ts";
import { type Options, run } from "./adopt/run.ts";

interface AddOptions extends Options {
  into: string;
  force?: boolean;
}

const program = new Command("npm run add --")
  .description(
    "Puts Dibs into a Supabase project of yours: migrations, functions, and their part of\n" +
      "supabase/config.toml. Where it is already, it is brought to this version. Shows what changes\n" +
      "first; what is yours stays as it is. It changes files and nothing else: push and deploy them.",
  )
  .requiredOption("--into <folder>", "the project: the folder that has supabase/config.toml")
  .option("--dry-run", "show what would change, and change nothing")
  .option("--force", "overwrite files of Dibs, handlers excepted, that you changed")
  .option("--json", "end standard output with the result as one line of JSON, all else on stderr")
  .addHelpText(
    "after",
    `
Exit code 1: something of yours is in the way. It is named with its mend, and nothing was changed.

Environment: none.

Examples:
  npm run add -- --into ../shop --dry-run
  npm run add -- --into ../shop
  git pull && npm run add -- --into ../shop

docs/adopting.md says what is put where, docs/upgrading.md what an upgrade does.`,
  )
  .exitOverride();

Deno.exit(
  await run<AddOptions>(
    program,
    ({ into }) => into,
    async (repository, { force }) => planAddition(repository, await readRelease(), { force }),
  ),
);
