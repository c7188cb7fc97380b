import { Command, InvalidArgumentError, Option } from "commander";
import process from "node:process";
import { experiment, type Findings, type Narrator, type Plan } from "./chaos/experiment.ts";
import { INVARIANTS } from "./chaos/invariants.ts";
import { MUTATIONS } from "./chaos/mutation.ts";
import { timelineOf } from "./chaos/timeline.ts";
import { judge } from "./chaos/verdict.ts";
import { count, number } from "./numbers.ts";
import { Screen } from "./screen.ts";
import { surviveLostConnections } from "./stack/lost_connections.ts";

interface Options {
  quick?: boolean;
  tasks?: number;
  workers?: number;
  faults?: number;
  seed: number;
  mutation?: string;
  json?: boolean;
}

const FULL = { tasks: 20_000, workers: 10, faults: 100 };
const QUICK = { tasks: 3_000, workers: 8, faults: 26 };
/** For so many tasks there is one thought. */
const TASKS_PER_THOUGHT = 5;
const TIMELINES = 2;
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

const program = new Command("npm run chaos --")
  .description(
    "Lets worker processes share tasks and thoughts on a stack of their own while processes are\n" +
      "killed, frozen and cut off, then checks that nothing was lost, doubled or given to two.",
  )
  .option("--quick", "a smaller run, under a minute on two cores")
  .option("--tasks <n>", "how many tasks, and a fifth as many thoughts", wholeNumber)
  .option("--workers <n>", "how many worker processes at a time", wholeNumber)
  .option("--faults <n>", "how many faults", wholeNumber)
  .option("--seed <n>", "repeat the faults of an earlier run", wholeNumber, newSeed())
  .addOption(
    new Option("--mutation <name>", "plant a bug first, which must be found").choices(
      Object.keys(MUTATIONS),
    ),
  )
  .option("--json", "end standard output with the result as one line of JSON, all else on stderr")
  .addHelpText(
    "after",
    `
Exit code 1: an invariant is broken; it is named, with the items that break it.

Examples:
  npm run chaos -- --quick
  npm run chaos -- --quick --json | tail -1
  npm run chaos -- --tasks 100000 --workers 16 --faults 500
  npm run chaos -- --quick --seed 42
  npm run chaos -- --tasks 800 --faults 8 --mutation settle_without_fence

Mutations:
${Object.entries(MUTATIONS).map(([name, { says }]) => `  ${name}: ${says}`).join("\n")}`,
  )
  .parse(Deno.args, { from: "user" });
const options = program.opts<Options>();
const screen = new Screen(options.json ? process.stderr : process.stdout);
const interrupt = interruptSignal();
surviveLostConnections();
Deno.exit(await main());

async function main(): Promise<number> {
  const { tasks, workers, faults } = { ...options.quick ? QUICK : FULL, ...options };
  const plan = {
    tasks,
    thoughts: Math.ceil(tasks / TASKS_PER_THOUGHT),
    workers,
    faults,
    seed: options.seed,
    mutation: options.mutation ? MUTATIONS[options.mutation] : undefined,
  };
  const began = Date.now();
  screen.title(
    `Chaos with ${count(plan.tasks, "task")} and ${count(plan.thoughts, "thought")}, ` +
      `seed ${plan.seed}`,
  );
  try {
    const findings = await experiment(plan, narrator(), interrupt);
    screen.stepsDone();
    return show(findings, plan, (Date.now() - began) / 1000);
  } catch (error) {
    screen.stepFailed();
    if (interrupt.aborted) return SIGNALS[interrupt.reason as keyof typeof SIGNALS];
    console.error(error);
    return 1;
  }
}

function narrator(): Narrator {
  return {
    step: (message) => screen.step(message),
    fault: (name) => {
      screen.stepsDone();
      screen.line(screen.paint.dim(`    ${name}`));
    },
    progress: ({ ended, total }) => {
      screen.stepsDone();
      screen.line(`  ${number(ended)} of ${number(total)} ended`);
    },
  };
}

function show(findings: Findings, plan: Plan, seconds: number): number {
  const { verdict, broken } = judge(findings, plan, seconds);
  screen.title(verdict.ok ? "Every invariant holds" : "BROKEN");
  screen.checks(INVARIANTS.map(({ key, says }) => {
    const by = verdict.broken[key];
    return { what: key, passed: !by, found: by ? `${verdict[key]} times: ${says}` : says };
  }));
  for (const { invariant: { key, says }, by } of broken) {
    screen.line(`\n${key}: ${says}\nBroken by ${by.slice(0, 20).join("\n          ")}`);
    for (const name of by.slice(0, TIMELINES)) {
      const item = findings.evidence.items.get(name);
      if (item) screen.line(`\n  ${name}\n    ${timelineOf(item, findings.record).join("\n    ")}`);
    }
  }
  const { total, ...kinds } = verdict.faults;
  screen.line(`\n${count(total, "fault")}: ${entriesOf(kinds)}`);
  screen.line(
    `${count(verdict.executions, "execution")}; ${
      count(verdict.leases_lost, "item")
    } lost with a ` +
      `lease, back after ${verdict.recovery_p99_seconds ?? "–"} s (p99); ` +
      `${count(verdict.stale_refused, "late report")} refused`,
  );
  screen.line(`Again with the same faults: npm run chaos -- --seed ${plan.seed}`);
  if (options.json) console.log(JSON.stringify(verdict));
  return verdict.ok ? 0 : 1;
}

function entriesOf(counts: Record<string, number>): string {
  return Object.entries(counts).map(([name, times]) => `${name} ${times}`).join(", ");
}

/** Aborted by the first signal, with its name; after that everything is being stopped anyway. */
function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) {
    Deno.addSignalListener(name, () => controller.abort(name));
  }
  return controller.signal;
}

function newSeed(): number {
  return Math.floor(Math.random() * 1_000_000);
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("Give a whole number from 1.");
  return Number(text);
}
