import { Command, Option } from "commander";
import { join } from "node:path";
import { type BenchCluster, startBenchCluster } from "./bench/cluster.ts";
import { describeEnvironment } from "./bench/environment.ts";
import { judge } from "./bench/goals.ts";
import { leaveOut } from "./bench/left_out.ts";
import { countSteps, measureAll } from "./bench/measure.ts";
import { plotFiles } from "./bench/plots/plots.ts";
import { startProgress } from "./bench/progress.ts";
import { summarise } from "./bench/summary.ts";
import { renderGoals, renderTable } from "./bench/table.ts";
import { workloads, workloadsWithGoals } from "./bench/workloads/index.ts";
import { wholeNumber } from "./options.ts";
import { PROJECT_DIR } from "./stack/migrate.ts";

interface Options {
  quick?: boolean;
  repeats?: number;
  tasks?: number;
  postgres?: string;
  json?: boolean;
  out?: string;
  plot?: boolean;
}

const program = new Command("npm run bench --")
  .description(
    "Measures Dibs beside other queues, each in a database of one PostgreSQL started for it.",
  )
  .argument(
    "[workloads...]",
    `which of ${Object.keys(workloads).join(", ")} (default: all; quick: those of the goals)`,
  )
  .option("--quick", "small versions, under a minute; one table: how far each goal is reached")
  .option("--repeats <n>", "how often each is measured (default: 5, quick: 2)", wholeNumber)
  .option("--tasks <n>", "how many tasks each drain has (default: by workload)", wholeNumber)
  .option("--postgres <dir>", "where another PostgreSQL has its initdb and postgres")
  .option("--json", "print one JSON object as the last line, everything else to stderr")
  .option("--out <file>", "keep the raw results in a file")
  .addOption(
    new Option("--plot", "measure nothing: draw docs/images/bench-*.svg from the raw results kept")
      .conflicts(["quick", "repeats", "tasks", "postgres", "json", "out"]),
  )
  .addHelpText(
    "after",
    `
pgmq takes part when PGMQ_SQL is the path of its pgmq.sql; PgQ when the PostgreSQL that is
measured has its extension.

Examples:
  npm run bench -- --quick
  npm run bench -- drain --repeats 10
  npm run bench -- --out docs/evidence/bench.json
  npm run bench -- --plot
  PGMQ_SQL=~/pgmq/sql/pgmq.sql npm run bench -- --postgres /usr/lib/postgresql/15/bin`,
  )
  .parse(Deno.args, { from: "user" });
const options = program.opts<Options>();
if (options.plot) await plot();
const everything = options.quick ? workloadsWithGoals : Object.keys(workloads);
const chosen = program.args.length > 0 ? program.args : everything;
for (const name of chosen) {
  if (!(name in workloads)) program.error(`error: there is no workload ${name}`);
}

const starting = startBenchCluster({ programs: options.postgres });
let leaving = false;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.addSignalListener(signal, () => leave(130));
}
// Drivers of others may throw where nobody can catch it.
addEventListener("error", (event) => {
  event.preventDefault();
  fail(event.error);
});
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail(event.reason);
});
await starting.then(bench).then(() => leave(0), fail);

/** Draws every plot, and leaves. What a plot lacks is said with the command that makes it. */
async function plot(): Promise<never> {
  if (program.args.length > 0) program.error("error: --plot draws every plot, name no workload");
  try {
    const drawn = await Promise.all(
      Object.entries(plotFiles).map(async ([path, draw]) => ({ path, text: await draw() })),
    );
    for (const { path, text } of drawn) {
      await Deno.writeTextFile(join(PROJECT_DIR, path), text);
      console.log(`${path} written`);
    }
  } catch (error) {
    program.error(`error: ${error instanceof Error ? error.message : error}`);
  }
  Deno.exit(0);
}

async function bench(cluster: BenchCluster): Promise<void> {
  const { quick = false, tasks, repeats = quick ? 2 : 5 } = options;
  const wanted = chosen.flatMap((name) => workloads[name]({ quick, tasks }));
  const { cells, leftOut } = await leaveOut(cluster, wanted);
  const environment = await describeEnvironment(cluster);
  const progress = startProgress(countSteps(cells, repeats), repeats);
  const results = await measureAll(cluster, cells, repeats, progress.step)
    .finally(progress.stop);
  const report = {
    command: ["npm run bench --", ...Deno.args].join(" "),
    made_at: new Date().toISOString(),
    ...environment,
    repeats,
    left_out: leftOut,
    keeps: Object.fromEntries(
      cells.flatMap(({ contenders }) => contenders.map(({ name, keeps }) => [name, keeps])),
    ),
    goals: judge(results),
    summary: summarise(cells, results),
    results,
  };

  const print = options.json ? console.error : console.log;
  const { machine, versions } = report;
  if (!quick || program.args.length > 0) {
    print(renderTable(report.summary));
    for (const [name, keeps] of Object.entries(report.keeps)) print(`${name} keeps ${keeps}.`);
  }
  if (report.goals.length > 0) print(renderGoals(report.goals));
  print(
    `Medians of ${repeats} (min–max); ratios within a repeat. PostgreSQL ${versions.postgres}, ` +
      `${machine.cores} × ${machine.cpu}, fsync ${machine.fsync_microseconds} µs, durable commits.`,
  );
  for (const { contender, reason } of leftOut) print(`Left out: ${contender}: ${reason}.`);
  if (options.out) await Deno.writeTextFile(options.out, JSON.stringify(report, round, 1) + "\n");
  if (options.json) console.log(JSON.stringify(report, round));
}

/** Says what went wrong, unless it went wrong because the server was ended, and leaves. */
async function fail(error: unknown): Promise<void> {
  if (leaving) return;
  console.error(error instanceof Error ? error.message : error);
  await leave(1);
}

/** Ends the server, which ends whatever waits for it, and removes its folder. */
async function leave(code: number): Promise<void> {
  if (leaving) return;
  leaving = true;
  const cluster = await starting.catch(() => null);
  await cluster?.[Symbol.asyncDispose]();
  Deno.exit(code);
}

/** Digits that no measurement has would only make the file longer. */
function round(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(5)) : value;
}
