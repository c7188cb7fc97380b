import { type Command, CommanderError } from "commander";
import { resolve } from "node:path";
import process from "node:process";
import { exitCodeOf, interruptSignal } from "../interrupt.ts";
import { count } from "../numbers.ts";
import { Screen } from "../screen.ts";
import { type Change, linesOf, makeChanges } from "./changes.ts";
import { CONFIG } from "./config_block.ts";
import type { Plan } from "./plan.ts";
import { Repository } from "./repository.ts";

/** What `add` and `remove` both have. */
export interface Options {
  dryRun?: boolean;
  json?: boolean;
}

const WRONG_USE = 2;

/**
 * Parses the arguments, shows what is to change in the project that they name, and changes it.
 * Returns the exit code.
 */
export async function run<O extends Options>(
  program: Command,
  folderOf: (options: O) => string,
  makePlan: (repository: Repository, options: O) => Promise<Plan>,
): Promise<number> {
  const interrupt = interruptSignal();
  try {
    const options = program.parse(Deno.args, { from: "user" }).opts<O>();
    const repository = await open(program, folderOf(options));
    const plan = await makePlan(repository, options);
    return await carryOut(plan, repository, options, interrupt) ? 0 : 1;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USE;
    if (interrupt.aborted) return exitCodeOf(interrupt);
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}

/** `npm run` comes from another folder than the one in which somebody typed it. */
async function open(program: Command, folder: string): Promise<Repository> {
  const repository = new Repository(resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), folder));
  if (await repository.exists(CONFIG)) return repository;
  return program.error(
    `error: there is no ${CONFIG} in ${repository.dir}. Give the folder of a Supabase project; ` +
      "`supabase init` makes one.",
  );
}

async function carryOut(
  plan: Plan,
  { dir }: Repository,
  { dryRun = false, json }: Options,
  interrupt: AbortSignal,
): Promise<boolean> {
  const screen = new Screen(json ? process.stderr : process.stdout);
  show(plan, dir, screen);
  const ok = plan.obstacles.length === 0;
  const done = ok && !dryRun;
  if (done) await makeChanges(dir, plan.changes, interrupt);
  screen.line(`\n${closing(plan, done)}`);
  if (done) { for (const step of plan.next) screen.line(`  ${step}`); }
  if (json) {
    const changes = plan.changes.map((change) => ({ path: change.path, ...linesOf(change) }));
    console.log(JSON.stringify({ ok, done, ...plan, changes }));
  }
  return ok;
}

function show({ title, changes, obstacles, kept }: Plan, dir: string, screen: Screen): void {
  const { red } = screen.paint;
  screen.title(`${title}: ${dir}`);
  if (obstacles.length > 0) {
    for (const { path, problem, mend } of obstacles) {
      screen.line(`  ${red("✗")} ${path} ${problem}.\n    ${mend}`);
    }
    return;
  }
  for (const change of changes) screen.line(`  ${describe(change, screen)}`);
  if (kept.length > 0) {
    screen.title("Left as you made it");
    for (const path of kept) screen.line(`  ${path}`);
  }
}

function describe(change: Change, { paint: { green, red, yellow, dim } }: Screen): string {
  const { added, removed } = linesOf(change);
  const mark = change.before === null ? green("+") : change.after === null ? red("-") : yellow("~");
  const lines = [added > 0 && green(`+${added}`), removed > 0 && red(`-${removed}`)];
  return `${mark} ${change.path}  ${lines.filter(Boolean).join(dim(" "))}`;
}

function closing({ changes, obstacles, next }: Plan, done: boolean): string {
  if (obstacles.length > 0) return "Nothing was changed.";
  if (changes.length === 0) return "There is nothing to change.";
  const files = count(changes.length, "file");
  if (!done) return `${files} would change.`;
  return next.length > 0 ? `${files} changed. What is left to do:` : `${files} changed.`;
}
