import { Command, CommanderError, InvalidArgumentError } from "commander";
import { relative, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { demoFiles, demonstrate } from "./demo/demonstration.ts";
import { progressView } from "./demo/progress.ts";
import type { Proof } from "./demo/proof.ts";
import { exitCodeOf, interruptSignal } from "./interrupt.ts";
import { Screen } from "./screen.ts";
import { surviveLostConnections } from "./stack/lost_connections.ts";
import { PROJECT_DIR } from "./stack/migrate.ts";
import { type Stack, startStack } from "./stack/stack.ts";

interface Options {
  demo: boolean;
  exit?: boolean;
  json?: boolean;
  fresh?: boolean;
  port: number;
  state: string;
}

const WRONG_USE = 2;

const program = new Command("npm start --")
  .description(
    "Starts a Supabase project with Dibs on this machine, shows it at work, and stays up until Ctrl-C.",
  )
  .option("--exit", "leave after the demonstration; exit code 0 means that everything was proven")
  .option("--json", "end standard output with the result as one line of JSON, all else on stderr")
  .option("--fresh", "begin anew, without the data of earlier starts")
  .option("--port <number>", "where to serve, when it is free", port, 54321)
  .option(
    "--state <folder>",
    "where all data is kept",
    (folder) => resolve(folder),
    `${PROJECT_DIR}.dibs`,
  )
  .option("--no-demo", "only start")
  .addHelpText(
    "after",
    `
Examples:
  npm start
  npm start -- --exit --json | tail -1
  npm start -- --no-demo --port 8000 --fresh`,
  )
  .exitOverride();

surviveLostConnections();
Deno.exit(await main());

async function main(): Promise<number> {
  const interrupt = interruptSignal();
  try {
    return await start(program.parse(Deno.args, { from: "user" }).opts<Options>(), interrupt);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USE;
    if (interrupt.aborted) return exitCodeOf(interrupt);
    console.error(`\n${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

async function start(options: Options, interrupt: AbortSignal): Promise<number> {
  const began = Date.now();
  const screen = new Screen(options.json ? process.stderr : process.stdout);
  await using parts = new AsyncDisposableStack();
  parts.defer(() => screen.stepsDone());
  screen.title("Dibs, on this machine");
  const stack = await startWatched(options, screen);
  parts.defer(async () => {
    screen.step("Stopping");
    await stack.stop();
  });
  interrupt.throwIfAborted();

  const proof = options.demo ? await show(stack, screen, interrupt) : null;
  if (!options.exit) tellHowToUse(stack, screen);
  if (options.json) {
    const seconds = (Date.now() - began) / 1000;
    console.log(JSON.stringify({ ...proof, url: stack.url, seconds, ok: proof?.ok ?? true }));
  }
  if (!options.exit) await aborted(interrupt);
  return proof && !proof.ok ? 1 : 0;
}

async function startWatched(options: Options, screen: Screen): Promise<Stack> {
  const preload = fileURLToPath(new URL("demo/record_drains.ts", import.meta.url));
  const env = { DIBS_RECORD: demoFiles(options.state).record };
  try {
    const stack = await startStack({
      stateDir: options.state,
      port: options.port,
      fresh: options.fresh,
      functions: options.demo ? { preload, env } : {},
      onProgress: (message) => screen.step(message),
    });
    screen.stepsDone();
    return stack;
  } catch (error) {
    screen.stepFailed();
    throw error;
  }
}

async function show(stack: Stack, screen: Screen, signal: AbortSignal): Promise<Proof> {
  const { bold, dim } = screen.paint;
  screen.title("The demonstration");
  screen.line(`  Watch it at ${bold(`${stack.url}/dashboard`)}.\n`);
  screen.line("  Five workers, and drains that dispatch starts, share 2,000 tasks and 1,000");
  screen.line("  thoughts, 0.1 to 0.2 s each, like calls to a model. One worker is killed.\n");
  const view = progressView(screen);
  const { proof, checks } = await demonstrate(stack, { view, signal });
  screen.title(proof.ok ? "Proven" : "NOT proven");
  screen.checks(checks);
  const record = relative(Deno.cwd(), demoFiles(stack.stateDir).lastRecord);
  screen.line(dim("  Counted from what workers and functions wrote down while they worked, in"));
  screen.line(dim(`  ${record}, and by the mail sink; only the last line is Dibs's own word.`));
  return proof;
}

function tellHowToUse(stack: Stack, screen: Screen): void {
  const { bold, dim } = screen.paint;
  screen.title("It is up");
  screen.pairs({
    "URL": bold(stack.url),
    "Dashboard": bold(`${stack.url}/dashboard`),
    "Secret key": stack.secretKey,
    "Publishable": stack.publishableKey,
    "Database": stack.databaseUrl,
    "Emails": stack.mailUrl,
  });
  screen.title("Try it");
  screen.line(`  KEY=${stack.secretKey}`);
  screen.line(`  curl ${stack.url}/functions/v1/enqueue -H "apikey: $KEY" \\`);
  screen.line(`    --json '{"tasks": [{"type": "hello", "payload": {"name": "Ada"}}]}'`);
  screen.line(`  curl ${stack.url}/functions/v1/claim -H "apikey: $KEY" \\`);
  screen.line(`    --json '{"worker_id": "me", "types": ["hello"], "lease_seconds": 60}'`);
  screen.line(`  curl ${stack.url}/functions/v1/status -H "apikey: $KEY"`);
  screen.line(dim("\n  Ctrl-C stops everything and keeps the data; `npm start` finds it again."));
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}

function port(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new InvalidArgumentError("Give a whole number from 0 (any free port) to 65535.");
}
