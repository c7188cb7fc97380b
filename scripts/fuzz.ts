import { Command, Option } from "commander";
import process from "node:process";
import { campaign, type Narrator, type Plan } from "./fuzz/campaign.ts";
import { readEndpoints } from "./fuzz/endpoints.ts";
import type { Findings } from "./fuzz/findings.ts";
import { type Rule, RULES } from "./fuzz/rules.ts";
import { git } from "./git.ts";
import { exitCodeOf, interruptSignal } from "./interrupt.ts";
import { count, number } from "./numbers.ts";
import { newSeed, wholeNumber } from "./options.ts";
import { Screen } from "./screen.ts";
import { surviveLostConnections } from "./stack/lost_connections.ts";

interface Options {
  bodies: number;
  endpoint?: string;
  seed: number;
  json?: boolean;
}

const PROGRESS_EVERY_MS = 3_000;

const endpoints = await readEndpoints();
const program = new Command("npm run fuzz --")
  .description(
    "Sends each endpoint of a stack of its own bodies that functions/openapi.json allows, and\n" +
      "many more that are made of them by all manner of changes; then checks every answer, every\n" +
      "log, and that what was refused changed no row.",
  )
  .option("--bodies <n>", "how many to each endpoint", wholeNumber, 2_000)
  .addOption(new Option("--endpoint <name>", "only this one").choices([...endpoints.keys()]))
  .option("--seed <n>", "repeat the bodies of an earlier run", wholeNumber, newSeed())
  .option("--json", "end standard output with the result as one line of JSON, all else on stderr")
  .addHelpText(
    "after",
    `
Exit code 1: a rule is broken; it is named, with the requests that break it.

Examples:
  npm run fuzz
  npm run fuzz -- --endpoint enqueue --bodies 20000
  npm run fuzz -- --endpoint claim --seed 42
  npm run fuzz -- --bodies 100000 --json | tail -1

Rules:
${Object.entries(RULES).map(([rule, says]) => `  ${rule}: ${says}`).join("\n")}`,
  )
  .parse(Deno.args, { from: "user" });
const options = program.opts<Options>();
const screen = new Screen(options.json ? process.stderr : process.stdout);
const interrupt = interruptSignal();
surviveLostConnections();
Deno.exit(await main());

async function main(): Promise<number> {
  const chosen = options.endpoint ? [endpoints.get(options.endpoint)!] : [...endpoints.values()];
  const plan = { endpoints: chosen, bodies: options.bodies, seed: options.seed };
  const began = Date.now();
  screen.title(
    `${count(chosen.length, "endpoint")}, ${number(plan.bodies)} bodies each, seed ${plan.seed}`,
  );
  try {
    const findings = await campaign(plan, narrator(), interrupt);
    screen.stepsDone();
    return await show(findings, plan, (Date.now() - began) / 1000);
  } catch (error) {
    screen.stepFailed();
    if (interrupt.aborted) return exitCodeOf(interrupt);
    console.error(error);
    return 1;
  }
}

function narrator(): Narrator {
  let toldAt = 0;
  return {
    step: (message) => screen.step(message),
    progress(endpoint, sent) {
      if (Date.now() - toldAt < PROGRESS_EVERY_MS) return;
      toldAt = Date.now();
      screen.stepsDone();
      screen.line(`  ${endpoint}: ${number(sent)} of ${number(options.bodies)}`);
    },
  };
}

async function show(findings: Findings, plan: Plan, seconds: number): Promise<number> {
  const { ok, broken, told } = findings;
  screen.title(ok ? "Every rule holds" : "BROKEN");
  screen.checks(
    Object.entries(RULES).map(([rule, says]) => {
      const times = broken[rule as Rule];
      return {
        what: rule,
        passed: !times,
        found: times ? `${number(times)} times: ${says}` : says,
      };
    }),
  );
  for (const { rule, endpoint, why, request = "" } of told) {
    screen.line(`\n${rule}, ${endpoint}: ${why}\n  ${request}`);
  }
  for (const [name, { statuses, p50_ms, p99_ms }] of Object.entries(findings.endpoints)) {
    const answers = Object.entries(statuses).map(([status, times]) =>
      `${status} × ${number(times)}`
    );
    screen.line(`${name}: ${answers.join(", ")}; ${p50_ms} ms (p50), ${p99_ms} ms (p99)`);
  }
  const again = [`--bodies ${plan.bodies}`, `--seed ${plan.seed}`];
  if (options.endpoint) again.push(`--endpoint ${options.endpoint}`);
  screen.line(`Again with the same bodies: npm run fuzz -- ${again.join(" ")}`);
  if (options.json) {
    console.log(JSON.stringify({
      command: ["npm run fuzz --", ...Deno.args].join(" "),
      commit: await git("rev-parse", "HEAD"),
      made_at: new Date().toISOString(),
      ok,
      seed: plan.seed,
      seconds,
      broken: Object.fromEntries(
        Object.keys(RULES).map((rule) => [rule, broken[rule as Rule] ?? 0]),
      ),
      endpoints: findings.endpoints,
      told,
    }));
  }
  return ok ? 0 : 1;
}
