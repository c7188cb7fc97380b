import { Command, CommanderError, InvalidArgumentError } from "commander";
import process from "node:process";
import { carryOut, type Report } from "./deploy/carry_out.ts";
import { checks } from "./deploy/checks.ts";
import { Confidential } from "./deploy/confidential.ts";
import { type DeploymentOptions, openDeployment } from "./deploy/deployment.ts";
import { functions } from "./deploy/functions.ts";
import { SETTINGS } from "./deploy/given_secrets.ts";
import { migrations } from "./deploy/migrations.ts";
import { rotation } from "./deploy/rotation.ts";
import { schedule } from "./deploy/schedule.ts";
import { secrets } from "./deploy/secrets.ts";
import { vault } from "./deploy/vault.ts";
import { verification } from "./deploy/verification.ts";
import { git } from "./git.ts";
import { exitCodeOf, interruptSignal } from "./interrupt.ts";
import { wholeNumber } from "./options.ts";
import { Screen } from "./screen.ts";
import { surviveLostConnections } from "./stack/lost_connections.ts";

interface Options extends DeploymentOptions {
  rotateSecret?: boolean;
  json?: boolean;
}

const WRONG_USE = 2;
const DEPLOY = [checks, migrations, secrets, functions, vault, schedule, verification];
const ROTATE = [checks, rotation, verification];
/** As long as a function may live on a paid plan, with the environment it began with, and a little more. */
const PATIENCE_SECONDS = 420;

const program = new Command("npm run deploy --")
  .description(
    "Brings Dibs to a Supabase project: checks, migrations, secrets, functions, Vault, schedule; then\n" +
      "looks from outside whether it works. Run it again for a new version, or where it stopped.",
  )
  .requiredOption(
    "--project-ref <ref>",
    "the project, by the 20 letters of its address",
    projectRef,
  )
  .option("--dry-run", "change nothing, and tell every step it would make")
  .option("--rotate-secret", "only exchange the dispatch secret; at any moment one is valid")
  .option("--env-file <path>", "secrets for the functions, as lines NAME=value")
  .option("--database-url <url>", "the database's address; SUPABASE_DB_URL keeps it out of ps")
  .option(
    "--project-url <url>",
    "the project's address (default: https://<ref>.supabase.co)",
    address,
  )
  .option(
    "--wait <seconds>",
    "how long to wait for functions to know new secrets, and for the tick",
    wholeNumber,
    PATIENCE_SECONDS,
  )
  .option("--json", "end standard output with the result as one line of JSON, all else on stderr")
  .addHelpText(
    "after",
    `
Environment:
  SUPABASE_ACCESS_TOKEN  sbp_… (Dashboard → Account → Access Tokens), unless npx supabase login was run
  SUPABASE_DB_PASSWORD   the database's password (Dashboard → Database → Settings)
  SUPABASE_DB_URL        or its whole address (Dashboard → Connect → Session pooler)
  SUPABASE_SECRET_KEY    a secret key, sb_secret_…, named default; looked up where there is an access token
  SUPABASE_PROFILE       another platform than Supabase's, as for the CLI: a file with api_url, project_host
  ${SETTINGS.join(", ")}
                         secrets that the functions read

Exit code 1: a step failed; it says how to mend it, and the same command goes on there. 2: wrong use.

Examples:
  npm run deploy -- --project-ref abcdefghijklmnopqrst --dry-run
  npm run deploy -- --project-ref abcdefghijklmnopqrst --env-file .env.functions
  npm run deploy -- --project-ref abcdefghijklmnopqrst --rotate-secret
  npm run deploy -- --project-ref abcdefghijklmnopqrst --json | tail -1`,
  )
  .exitOverride();

surviveLostConnections();
Deno.exit(await main());

async function main(): Promise<number> {
  try {
    return await deploy(program.parse(Deno.args, { from: "user" }).opts<Options>());
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USE;
    throw error;
  }
}

async function deploy(options: Options): Promise<number> {
  const began = Date.now();
  const interrupt = interruptSignal();
  const screen = new Screen(options.json ? process.stderr : process.stdout);
  const confidential = new Confidential();
  const { dim } = screen.paint;
  screen.title(titleOf(options));
  const report = await carryOut(
    options.rotateSecret ? ROTATE : DEPLOY,
    () => openDeployment(options, confidential, interrupt),
    {
      begins: ({ says }) => screen.step(says),
      did(lines) {
        screen.stepsDone();
        for (const line of lines) screen.line(dim(`    ${confidential.hide(line)}`));
      },
      failed: () => screen.stepFailed(),
    },
    interrupt,
  );
  const ok = !report.failed && !interrupt.aborted;
  conclude(report, { ok, options, screen, confidential });
  if (options.json) {
    const { steps, verified, failed } = report;
    const result = {
      ok,
      project_ref: options.projectRef,
      commit: await git("rev-parse", "HEAD") || null,
      dry_run: options.dryRun ?? false,
      interrupted: interrupt.aborted,
      steps,
      verified: verified.map(({ what, passed, found }) => ({ what, passed, found })),
      failed,
      seconds: (Date.now() - began) / 1000,
    };
    const hide = (_: string, value: unknown) =>
      typeof value === "string" ? confidential.hide(value) : value;
    console.log(JSON.stringify(result, hide));
  }
  if (interrupt.aborted) return exitCodeOf(interrupt);
  return ok ? 0 : 1;
}

function titleOf({ projectRef: ref, dryRun, rotateSecret }: Options): string {
  if (rotateSecret) return `A new dispatch secret for ${ref}${dryRun ? ", rehearsed" : ""}`;
  return dryRun ? `What a deployment to ${ref} would do` : `Dibs to ${ref}`;
}

/** What was found from outside, and, where it stopped, why, what was done before, and how it goes on. */
function conclude(
  { steps, verified, failed }: Report,
  { ok, options, screen, confidential }: {
    ok: boolean;
    options: Options;
    screen: Screen;
    confidential: Confidential;
  },
): void {
  if (verified.length > 0) {
    screen.title("Verified");
    screen.checks(verified.map((check) => ({ ...check, found: confidential.hide(check.found) })));
  }
  if (ok) return screen.line(options.dryRun ? "\nNothing was changed." : "\nIt works.");
  const done = steps.map(({ step }) => step).join(", ") || "nothing";
  if (failed) {
    screen.title(`Stopped at: ${failed.step}`);
    screen.line(confidential.hide(`${failed.message}\nMend: ${failed.mend}`));
  } else screen.title("Interrupted");
  screen.line(`Done before: ${done}. The same command goes on from there.`);
}

function projectRef(text: string): string {
  if (/^[a-z]{20}$/.test(text)) return text;
  throw new InvalidArgumentError("A project ref is 20 small letters: https://<ref>.supabase.co.");
}

function address(text: string): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text;
  throw new InvalidArgumentError("Give an address such as https://example.supabase.co.");
}
