import { Command, CommanderError, InvalidArgumentError } from "commander";
import { resolve } from "node:path";
import type { Project } from "./dashboard/project.ts";
import type { Redaction } from "./dashboard/redact.ts";
import { createDashboard } from "./dashboard/server.ts";
import { interruptSignal } from "./interrupt.ts";
import { openInBrowser } from "./open_in_browser.ts";
import { findStack } from "./stack/find_stack.ts";
import { surviveLostConnections } from "./stack/lost_connections.ts";
import { PROJECT_DIR } from "./stack/migrate.ts";

interface Options {
  port: number;
  host: string[];
  redact: Redaction;
  state: string;
  open: boolean;
  json?: boolean;
}

const WRONG_USE = 2;

const program = new Command("npm run dashboard --")
  .description(
    "Shows a project, hosted or local, in a browser on this machine, and lets you act on it.\n" +
      "It listens on 127.0.0.1 only, and the secret key stays in this process.",
  )
  .option("--port <n>", "where to listen; 0 is any free port", port, 54380)
  .option("--host <name>", "answer to this name, too, as at the end of a tunnel", list, [])
  .option(
    "--redact <fields>",
    "hide these fields (a,b) of payloads and results, or `all`",
    hide,
    [],
  )
  .option(
    "--state <folder>",
    "where the local stack keeps its data",
    (folder) => resolve(folder),
    `${PROJECT_DIR}.dibs`,
  )
  .option("--no-open", "open no browser")
  .option("--json", "print the address as one line of JSON, and open no browser")
  .addHelpText(
    "after",
    `
Environment, for a hosted project (without it: the stack that \`npm start\` runs):
  SUPABASE_URL         the project's URL (Dashboard → Settings → Data API)
  SUPABASE_SECRET_KEY  a secret key, sb_secret_… (Dashboard → Settings → API Keys)
  SUPABASE_DB_URL      the database (Dashboard → Connect); only the doctor's page needs it

Examples:
  npm run dashboard
  npm run dashboard -- --redact email,token --no-open
  SUPABASE_URL=https://<ref>.supabase.co SUPABASE_SECRET_KEY=sb_secret_… npm run dashboard`,
  )
  .exitOverride();

surviveLostConnections();
Deno.exit(await main());

async function main(): Promise<number> {
  try {
    await dashboard(program.parse(Deno.args, { from: "user" }).opts<Options>());
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USE;
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    console.error("That port is taken: give another one, or --port 0 for any that is free.");
    return 1;
  }
}

/** Serves until it is told to stop. */
async function dashboard(options: Options): Promise<void> {
  const project = await findProject(options.state);
  const handler = createDashboard(project, { names: options.host, redaction: options.redact });
  const signal = interruptSignal();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: options.port, signal, onListen: () => {} },
    handler,
  );
  const url = `http://127.0.0.1:${server.addr.port}/`;
  if (options.json) console.log(JSON.stringify({ url, project: project.url }));
  else console.log(`The dashboard of ${project.url} is at ${url} until Ctrl-C.`);
  if (options.open && !options.json) await openInBrowser(url);
  await server.finished;
}

/** The one that the environment names, or the stack on this machine. */
async function findProject(state: string): Promise<Project> {
  const url = setting("SUPABASE_URL");
  const databaseUrl = setting("SUPABASE_DB_URL");
  const secretKey = Deno.env.get("SUPABASE_SECRET_KEY") || undefined;
  const stack = await findStack(state);
  if (!url && stack) return stack;
  if (url && url === stack?.url) return { ...stack, secretKey: secretKey ?? stack.secretKey };
  if (url && secretKey) return { url, secretKey, databaseUrl };
  return program.error(
    url
      ? "error: the environment variable SUPABASE_SECRET_KEY is missing; --help says where to find it"
      : `error: no stack runs in ${state}, and no project was given; --help says how to give one`,
  );
}

function setting(name: string): string | undefined {
  const value = Deno.env.get(name);
  if (!value) return undefined;
  if (URL.canParse(value)) return value.replace(/\/+$/, "");
  return program.error(`error: the environment variable ${name} is not a URL`);
}

function port(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new InvalidArgumentError("Give a whole number from 0 (any free port) to 65535.");
}

function list(text: string, before: string[]): string[] {
  return [...before, ...text.toLowerCase().split(",").map((name) => name.trim()).filter(Boolean)];
}

function hide(text: string): Redaction {
  return text === "all" ? "all" : list(text, []);
}
