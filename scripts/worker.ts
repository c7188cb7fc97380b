import { Command, CommanderError, InvalidArgumentError } from "commander";
import { ApiError } from "../functions/_shared/errors.ts";
import { surviveStrayErrors } from "../functions/_shared/guard.ts";
import { registryOf } from "../functions/_shared/handler.ts";
import type { Log, LogFields } from "../functions/_shared/log.ts";
import { remoteRpc } from "../functions/_shared/rpc.ts";
import { runWorker } from "../functions/_shared/worker.ts";
import { chooseWork } from "../functions/_shared/worker/choose.ts";
import { newWorkerId } from "../functions/_shared/worker_id.ts";
import * as handlers from "../functions/handlers/index.ts";

interface Options {
  types?: string[];
  workType?: string;
  source?: string;
  concurrency: number;
  batch: number;
  leaseSeconds: number;
  workerId?: string;
  untilEmpty?: boolean;
  json?: boolean;
}

const WRONG_USE = 2;

/** Standard output is for the summary alone. */
const stderrLog: Log = { info: line, error: line, with: () => stderrLog };

const program = new Command("npm run worker --")
  .description("Works on a project's tasks, or on its thoughts, until it is told to stop.")
  .option("--types <a,b>", "tasks of these types only (default: all that have a handler)", names)
  .option("--work-type <x>", "thoughts for this work type, instead of tasks")
  .option("--source <x>", "rows of this claim source, instead of tasks or thoughts")
  .option("--concurrency <n>", "handlers running at once", between(1, 1000), 8)
  .option("--batch <n>", "the most it claims in one call", between(1, 1000), 50)
  .option(
    "--lease-seconds <n>",
    "how long a claim lasts without a heartbeat",
    between(1, 86_400),
    120,
  )
  .option("--worker-id <id>", "the name it claims under (default: host, process, random part)")
  .option("--until-empty", "leave when nothing is left, instead of waiting for more")
  .option("--json", "print the summary as one line of JSON")
  .addHelpText("after", () => `
Handlers here: tasks ${known().tasks}; thoughts ${known().thoughts}; rows ${known().rows}

Environment:
  SUPABASE_URL         the project's URL (Dashboard → Settings → Data API; locally \`npm start\` prints it)
  SUPABASE_SECRET_KEY  a secret key, sb_secret_… (Dashboard → Settings → API Keys; \`npm start\` prints it)

Examples:
  npm run worker -- --types generate_care_plan --concurrency 8
  npm run worker -- --work-type enrichment --until-empty --json
  npm run worker -- --source documents

The first Ctrl-C stops taking work and finishes what runs; the second one leaves at once.`)
  .exitOverride();

Deno.exit(await main());

async function main(): Promise<number> {
  try {
    await work(program.parse(Deno.args, { from: "user" }).opts<Options>());
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USE;
    if (error instanceof ApiError) say([error.message, error.hint].filter(Boolean).join("\n"));
    else throw error;
    return error.code === "bad_request" ? WRONG_USE : 1;
  }
}

async function work(options: Options): Promise<void> {
  const { types, workType, source, leaseSeconds, concurrency, batch, untilEmpty } = options;
  const { workerId = newWorkerId() } = options;
  if (types && (workType || source)) {
    program.error("error: give either --types or --work-type or --source");
  }
  surviveStrayErrors(stderrLog);
  const rpc = remoteRpc(setting("SUPABASE_URL"), setting("SUPABASE_SECRET_KEY"));
  const chosen = chooseWork({ types, work_type: workType, source }, registryOf(handlers), {
    rpc,
    log: stderrLog,
    workerId,
    leaseSeconds,
  });
  say(
    `${workerId} works on ${
      [source, workType].filter(Boolean).join(", ") || types?.join(", ") || "tasks of all types"
    }`,
  );
  const signal = stopSignal();
  const summary = await runWorker(chosen, {
    concurrency,
    batch,
    leaseSeconds,
    untilEmpty,
    signal,
    log: stderrLog,
  });
  const { completed, failed, released, lost, duration_ms } = summary;
  say(
    `done: ${completed} completed, ${failed} failed, ${released} released, ${lost} lost in ${duration_ms} ms`,
  );
  if (options.json) console.log(JSON.stringify({ worker_id: workerId, ...summary }));
}

/** Aborted by the first signal; the second one ends the process. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => {
      if (stop.signal.aborted) Deno.exit(name === "SIGINT" ? 130 : 143);
      say("stopping: finishing what runs; once more to leave at once");
      stop.abort();
    });
  }
  return stop.signal;
}

function line(event: string, fields: LogFields = {}): void {
  const facts = Object.entries(fields).filter(([, value]) => value !== undefined && value !== 0);
  say(`${event} ${facts.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(" ")}`);
}

function say(message: string): void {
  console.error(message);
}

function setting(name: string): string {
  const value = Deno.env.get(name);
  if (value) return value;
  return program.error(
    `error: the environment variable ${name} is missing; --help says where to find it`,
  );
}

function known(): Record<"tasks" | "thoughts" | "rows", string> {
  const { tasks, thoughts, rows } = registryOf(handlers);
  const listed = (names: Iterable<string>) => [...names].join(", ") || "none";
  return {
    tasks: listed(tasks.keys()),
    thoughts: listed(thoughts.keys()),
    rows: listed([...rows.values()].map(({ source, workType }) => `${source} (${workType})`)),
  };
}

function names(text: string): string[] {
  return text.split(",").map((name) => name.trim()).filter(Boolean);
}

function between(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
  };
}
