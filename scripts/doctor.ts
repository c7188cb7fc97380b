import { Command, CommanderError, InvalidArgumentError } from "commander";
import { resolve } from "node:path";
import process from "node:process";
import { examine } from "./doctor/examine.ts";
import { type Severity, worstOf } from "./doctor/finding.ts";
import type { Inputs } from "./doctor/inputs.ts";
import { print } from "./doctor/print.ts";
import { Screen } from "./screen.ts";
import { findStack } from "./stack/find_stack.ts";
import { surviveLostConnections } from "./stack/lost_connections.ts";
import { PROJECT_DIR } from "./stack/migrate.ts";

interface Options {
  databaseUrl?: string;
  state: string;
  json?: boolean;
}

const WRONG_USE = 2;
/** The exit code says the worst that was found. */
const EXIT_CODES: Record<Severity, number> = { ok: 0, info: 0, warning: 1, error: 3 };

const program = new Command("npm run doctor --")
  .description(
    "Looks at a project, hosted or local, for what is wrong with Dibs there, and says what mends it.\n" +
      "It only reads. Without anything given it looks at the stack that `npm start` runs.",
  )
  .option(
    "--database-url <url>",
    "the database, as role postgres (default: SUPABASE_DB_URL)",
    address,
  )
  .option(
    "--state <folder>",
    "where the local stack keeps its data",
    (folder) => resolve(folder),
    `${PROJECT_DIR}.dibs`,
  )
  .option("--json", "end standard output with the findings as one line of JSON, all else on stderr")
  .addHelpText(
    "after",
    `
Environment:
  SUPABASE_DB_URL      the database (Dashboard → Connect)
  SUPABASE_URL         the project's URL (Dashboard → Settings → Data API)
  SUPABASE_SECRET_KEY  a secret key, sb_secret_… (Dashboard → Settings → API Keys)

Exit code: 0 all is well, or there is only something to know; 1 a warning; 3 an error; 2 wrong use.

Examples:
  npm run doctor
  npm run doctor -- --json | tail -1 | jq '.findings[] | select(.severity != "ok")'
  SUPABASE_URL=https://<ref>.supabase.co SUPABASE_SECRET_KEY=sb_secret_… \\
    npm run doctor -- --database-url 'postgresql://postgres:…@db.<ref>.supabase.co:5432/postgres'`,
  )
  .exitOverride();

surviveLostConnections();
Deno.exit(await main());

async function main(): Promise<number> {
  try {
    return await doctor(program.parse(Deno.args, { from: "user" }).opts<Options>());
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USE;
    throw error;
  }
}

async function doctor(options: Options): Promise<number> {
  const screen = new Screen(options.json ? process.stderr : process.stdout);
  const inputs = await findInputs(options);
  screen.line(`Looking at ${inputs.url ?? hostOf(inputs.databaseUrl!)} …`);
  const examined = await examine(inputs);
  print(examined, screen);
  const findings = examined.flatMap(({ findings }) => findings);
  const worst = worstOf(findings);
  const code = EXIT_CODES[worst];
  if (options.json) console.log(JSON.stringify({ ok: code === 0, worst, findings }));
  return code;
}

/** What was given; of the stack on this machine the rest is known. */
async function findInputs({ databaseUrl, state }: Options): Promise<Inputs> {
  const given = {
    databaseUrl: databaseUrl ?? setting("SUPABASE_DB_URL"),
    url: setting("SUPABASE_URL"),
    secretKey: Deno.env.get("SUPABASE_SECRET_KEY") || undefined,
  };
  const isNothing = !given.databaseUrl && !given.url;
  const stack = await findStack(state);
  if (isNothing && !stack) {
    return program.error(
      `error: no stack runs in ${state}, and no project was given; --help says how to give one`,
    );
  }
  if (!stack || !isNothing && given.url !== stack.url) return given;
  return {
    databaseUrl: given.databaseUrl ?? stack.databaseUrl,
    url: stack.url,
    secretKey: given.secretKey ?? stack.secretKey,
  };
}

function setting(name: string): string | undefined {
  const value = Deno.env.get(name);
  if (!value) return undefined;
  if (URL.canParse(value)) return value.replace(/\/+$/, "");
  return program.error(
    `error: the environment variable ${name} is not a URL; --help shows examples`,
  );
}

function address(text: string): string {
  if (URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol)) return text;
  throw new InvalidArgumentError(
    "Give it as postgresql://postgres:<password>@<host>:5432/postgres.",
  );
}

function hostOf(url: string): string {
  return new URL(url).host;
}
