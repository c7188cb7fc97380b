import { Command, Option } from "commander";
import process from "node:process";
import { experiment, type Findings, type Narrator, type Plan } from "./chaos/experiment.ts";
import { mutatedProject } from "./chaos/mutated_project.ts";
import { checkMutations, planFor } from "./chaos/mutation_check.ts";
import { MUTATIONS } from "./chaos/mutations.ts";
import { INVARIANTS, verdictOf } from "./chaos/verdict.ts";
import { exitCodeOf, interruptSignal } from "./interrupt.ts";
import { count, number } from "./numbers.ts";
import { newSeed, wholeNumber } from "./options.ts";
import { Screen } from "./screen.ts";
import { surviveLostConnections } from "./stack/lost_connections.ts";

interface Options {
  quick?: boolean;
  tasks?: number;
  workers?: number;
  faults?: number;
  seed: number;
  mutations?: boolean;
  mutation?: string;
  json?: boolean;
}

type Size = Pick<Plan, "tasks" | "workers" | "faults"> & Partial<Plan>;

/** So many processes on two cores do not get to their heartbeats in time for shorter leases. */
const FULL: Size = { tasks: 1_000_000, workers: 64, faults: 1_140, leaseSeconds: 8 };
const QUICK: Size = { tasks: 4_000, workers: 8, faults: 44 };
/** For so many tasks there is one thought. */
const TASKS_PER_THOUGHT = 20;

const program = new Command("npm run chaos --")
  .description(
    "Lets worker processes share tasks and thoughts on a stack of their own while processes are\n" +
      "killed, frozen and cut off, then checks that nothing was lost, doubled or given to two.",
  )
  .option("--quick", "a smaller run, under a minute on two cores")
  .option("--tasks <n>", "how many tasks, and a twentieth as many thoughts", wholeNumber)
  .option("--workers <n>", "how many worker processes at a time", wholeNumber)
  .option("--faults <n>", "how many faults", wholeNumber)
  .option("--seed <n>", "repeat the faults of an earlier run", wholeNumber, newSeed())
  .option(
    "--mutations",
    "plant each known bug in turn, in a small run of its own: each must be found",
  )
  .addOption(
    new Option("--mutation <name>", "plant one of them").choices(Object.keys(MUTATIONS)),
  )
  .option("--json", "end standard output with the result as one line of JSON, all else on stderr")
  .addHelpText(
    "after",
    `
Exit code 1: an invariant is broken; it is named, with the items that break it. With --mutations: a bug
was planted and not found.

Examples:
  npm run chaos -- --quick
  npm run chaos -- --quick --json | tail -1
  npm run chaos -- --tasks 100000 --workers 16 --faults 500
  npm run chaos -- --quick --seed 42
  npm run chaos -- --mutations
  npm run chaos -- --mutation reap_the_living

Bugs to plant:
${Object.entries(MUTATIONS).map(([name, { says }]) => `  ${name}: ${says}`).join("\n")}
`,
  )
  .parse(Deno.args, { from: "user" });
const options = program.opts<Options>();
const screen = new Screen(options.json ? process.stderr : process.stdout);
const interrupt = interruptSignal();
surviveLostConnections();
Deno.exit(await main());

async function main(): Promise<number> {
  try {
    return options.mutations ? await checkAll() : await runOnce();
  } catch (error) {
    screen.stepFailed();
    if (interrupt.aborted) return exitCodeOf(interrupt);
    console.error(error);
    return 1;
  }
}

async function runOnce(): Promise<number> {
  const { seed, mutation } = options;
  await using project = mutation ? await mutatedProject(MUTATIONS[mutation]) : null;
  const given: Size & { seed: number } = {
    ...options.quick ? QUICK : FULL,
    ...mutation && planFor(MUTATIONS[mutation], seed),
    ...options,
  };
  const { tasks, workers, faults, thoughts = Math.ceil(tasks / TASKS_PER_THOUGHT) } = given;
  const plan: Plan = { ...given, thoughts, projectDir: project?.dir };
  const began = Date.now();
  screen.title(
    `Chaos with ${count(tasks, "task")} and ${count(thoughts, "thought")}, ` +
      `${count(workers, "worker")}, ${count(faults, "fault")}, seed ${seed}`,
  );
  const findings = await experiment(plan, narrator(), interrupt);
  screen.stepsDone();
  return show(findings, plan, (Date.now() - began) / 1000);
}

async function checkAll(): Promise<number> {
  const { seed } = options;
  screen.title(`${count(Object.keys(MUTATIONS).length, "bug")} to be found, seed ${seed}`);
  const report = await checkMutations(MUTATIONS, {
    seed,
    heard(name, broken) {
      const { green, red } = screen.paint;
      screen.line(
        broken.length > 0
          ? `  ${green("✓")} ${name}: ${broken.join(", ")}`
          : `  ${red("✗")} ${name}: nobody noticed`,
      );
    },
    signal: interrupt,
  });
  screen.title(`${report.detected} of ${count(report.planted, "planted bug")} found`);
  if (options.json) console.log(JSON.stringify(report));
  return report.ok ? 0 : 1;
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

function show({ judge, faults, timelines }: Findings, plan: Plan, seconds: number): number {
  const verdict = verdictOf(judge, plan, faults, seconds);
  screen.title(verdict.ok ? "Every invariant holds" : "BROKEN");
  screen.checks(INVARIANTS.map(({ key, says }) => {
    const by = verdict.broken[key];
    return { what: key, passed: !by, found: by ? `${verdict[key]} times: ${says}` : says };
  }));
  for (const { key, says, by, items } of judge.broken) {
    screen.line(`\n${key}: ${says}\nBroken by ${by.join("\n          ")}`);
    for (const item of items) {
      const timeline = timelines.get(item);
      if (timeline) screen.line(`\n  ${item.name}\n    ${timeline.join("\n    ")}`);
    }
  }
  const { mails_with_key, mails_without_key } = verdict.emails;
  screen.line(`\n${count(verdict.faults, "fault")}: ${entriesOf(faults)}`);
  screen.line(
    `${count(verdict.executions, "execution")}; ${
      count(verdict.leases_lost, "item")
    } lost with a ` +
      `lease, back after ${verdict.recovery_p99_seconds ?? "–"} s (p99); ` +
      `${count(verdict.stale_refused, "late report")} refused`,
  );
  screen.line(`Emails with an idempotency key: ${entriesOf({ ...mails_with_key })}`);
  screen.line(`Emails without: ${entriesOf({ ...mails_without_key })}`);
  screen.line(`Again with the same faults: npm run chaos -- --seed ${plan.seed}`);
  if (options.json) console.log(JSON.stringify(verdict));
  return verdict.ok ? 0 : 1;
}

function entriesOf(counts: Record<string, number>): string {
  return Object.entries(counts).map(([name, times]) => `${name} ${times}`).join(", ");
}
