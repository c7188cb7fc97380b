import { retry } from "@std/async/retry";
import { Command } from "commander";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { CLUSTER_VARIABLE, startCluster } from "../tests/support/cluster.ts";
import { CORE, enter, MODES } from "../tests/support/modes.ts";
import { FUNCTIONS_DENO_VARIABLE, STACK_VARIABLE } from "../tests/support/stack.ts";
import { PROJECT_DIR } from "./stack/migrate.ts";
import { startStack } from "./stack/stack.ts";

interface Count {
  passed: number;
  failed: number;
}

/** On what else than this machine's own. */
interface Ground {
  /** Where another PostgreSQL has its programs. */
  programs?: string;
  /** Another Deno, for the functions and, as far as it can run them, for their tests. */
  deno?: string;
}

const program = new Command("npm test --")
  .description("Runs the tests, on a PostgreSQL and a local stack started for them.")
  .argument("[names...]", "run only test files whose path contains one of these")
  .option("--postgres <dir>", "run them where another PostgreSQL has its initdb and postgres")
  .parse(Deno.args, { from: "user" });
const names = program.args;
const { postgres } = program.opts<{ postgres?: string }>();

/** Test files that begin with this line are about what one PostgreSQL may do otherwise than another. */
const ON_POSTGRES_15 = "// On PostgreSQL 15, too.\n";

/** Where Debian has it. */
const POSTGRES_15 = "/usr/lib/postgresql/15/bin";

/** The Deno of hosted functions, where npm installs it: on Linux with x64 only. */
const HOSTED_DENO = join(PROJECT_DIR, "node_modules/deno-hosted/deno");

/** Far more than the whole suite takes; a test that hangs must not hang whoever waits for this. */
const LONGEST_MS = 75 * 60_000;

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.addSignalListener(signal, () => interrupt.abort());
}
Deno.unrefTimer(setTimeout(() => {
  console.error(`The tests were ended: they took longer than ${LONGEST_MS / 60_000} minutes.`);
  interrupt.abort();
}, LONGEST_MS));
const files = await findTests(names);
const { passed, failed } = postgres ? await runTests(files, { programs: postgres }) : sum(
  await runTests(files),
  await runOnPostgres15(await thatMention(ON_POSTGRES_15, files)),
  await runOnHostedDeno(files.filter((file) => file.startsWith("tests/functions/"))),
);
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(failed === 0 && passed > 0 && !interrupt.signal.aborted ? 0 : 1);

/** Runs tests a second time, on the oldest PostgreSQL that projects have. */
async function runOnPostgres15(files: string[]): Promise<Count> {
  if (files.length === 0 || interrupt.signal.aborted) return { passed: 0, failed: 0 };
  if (await Deno.stat(POSTGRES_15).catch(() => null)) {
    console.log(`\nOn PostgreSQL 15, ${POSTGRES_15}:`);
    return await runTests(files, { programs: POSTGRES_15 });
  }
  return notRun(
    `ON POSTGRESQL 15: ${files.length} test files that are for it, too. There is no ` +
      `${POSTGRES_15}: install it (Debian: apt-get install postgresql-15), or say where it is ` +
      "(npm test -- --postgres <dir>).",
  );
}

/** Runs the functions' tests a second time, on the Deno that hosted functions run on. */
async function runOnHostedDeno(files: string[]): Promise<Count> {
  if (files.length === 0 || interrupt.signal.aborted) return { passed: 0, failed: 0 };
  if (await Deno.stat(HOSTED_DENO).catch(() => null)) {
    console.log(`\nOn the Deno of hosted functions, ${HOSTED_DENO}:`);
    return await runTests(files, { deno: HOSTED_DENO });
  }
  return notRun(
    `ON THE DENO OF HOSTED FUNCTIONS: ${files.length} test files. There is no ${HOSTED_DENO}: ` +
      "npm installs it on Linux with an x64 processor (npm ci).",
  );
}

/** What somebody may do without, CI may not. */
function notRun(what: string): Count {
  console.error(`\nNOT RUN ${what}`);
  return { passed: 0, failed: Deno.env.has("CI") ? 1 : 0 };
}

/** Runs tests, the core of them in every mode unless on other ground. */
async function runTests(files: string[], { programs, deno }: Ground = {}): Promise<Count> {
  if (files.length === 0) {
    console.error(`No test file's path contains ${names.join(" or ")}.`);
    return { passed: 0, failed: 0 };
  }
  const dir = await Deno.makeTempDir({ prefix: "dibs-test-" });
  await using after = new AsyncDisposableStack();
  // What interrupted tests started may still be ending, and writing.
  after.defer(() => retry(() => Deno.remove(dir, { recursive: true }), {}));
  try {
    const { stop, ...cluster } = await startCluster(join(dir, "cluster"), { programs });
    after.defer(stop);
    const env = {
      [CLUSTER_VARIABLE]: JSON.stringify(cluster),
      ...deno && { [FUNCTIONS_DENO_VARIABLE]: deno },
      TMPDIR: dir,
    };
    // The stack takes seconds to start: it is, once for all, when one of the files asks for it.
    if ((await thatMention("sharedStack(", files)).length > 0) {
      const stack = await startStack({
        stateDir: join(dir, "stack"),
        port: 0,
        functions: { deno },
      });
      after.defer(() => stack.stop());
      Object.assign(env, { [STACK_VARIABLE]: JSON.stringify(stack) });
    }
    interrupt.signal.throwIfAborted();
    // A stack of a test's own needs a newer one than functions do.
    const newer = deno ? await thatMention("testStack(", files) : files;
    const counts = [
      await denoTest(newer, env),
      await denoTest(files.filter((file) => !newer.includes(file)), env, deno),
    ];
    const core = programs ? [] : files.filter((file) => CORE.test(file));
    for (const mode of core.length > 0 ? MODES : []) {
      console.log(`\nThe core once more: ${mode}`);
      const { stop, ...entered } = await enter(mode, cluster, dir);
      after.defer(stop);
      counts.push(await denoTest(core, { ...env, [CLUSTER_VARIABLE]: JSON.stringify(entered) }));
    }
    return sum(...counts);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return { passed: 0, failed: 1 };
  }
}

function sum(...counts: Count[]): Count {
  const total = { passed: 0, failed: 0 };
  for (const { passed, failed } of counts) {
    total.passed += passed;
    total.failed += failed;
  }
  return total;
}

/** Every test file below tests/, or those whose path contains one of the names. */
async function findTests(names: string[], dir = join(PROJECT_DIR, "tests")): Promise<string[]> {
  const files = [];
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    const path = join(dir, name);
    if (isDirectory) files.push(...await findTests(names, path));
    else if (name.endsWith("_test.ts")) files.push(relative(PROJECT_DIR, path));
  }
  return files.filter((file) => names.length === 0 || names.some((name) => file.includes(name)))
    .sort();
}

async function thatMention(words: string, files: string[]): Promise<string[]> {
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(join(PROJECT_DIR, file))));
  return files.filter((_, n) => texts[n].includes(words));
}

/** Runs test files, showing what Deno says; types are `npm run check`'s part. */
async function denoTest(
  files: string[],
  env: Record<string, string>,
  deno = Deno.execPath(),
): Promise<Count> {
  if (files.length === 0) return { passed: 0, failed: 0 };
  const child = new Deno.Command(deno, {
    args: ["test", "--allow-all", "--no-lock", "--no-check", "--parallel", ...files],
    cwd: PROJECT_DIR,
    env: Deno.stdout.isTerminal() ? env : { ...env, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    signal: interrupt.signal,
  }).spawn();
  let output = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    await Deno.stdout.write(new TextEncoder().encode(text));
    output += text;
  }
  const { success } = await child.status;
  const count = readSummary(output);
  // A test file that does not load is in no count of Deno's.
  return success || count.failed > 0 ? count : { ...count, failed: 1 };
}

/** Deno ends with a line such as `FAILED | 3 passed | 1 failed (12ms)`. */
function readSummary(output: string): Count {
  const [line] = stripVTControlCharacters(output).match(/^(ok|FAILED) \| .*$/gm)?.slice(-1) ?? [""];
  const count = (word: string) => Number(line.match(new RegExp(`(\\d+) ${word}`))?.[1] ?? 0);
  if (count("ignored") > 0) console.log(`${count("ignored")} skipped`);
  return { passed: count("passed"), failed: count("failed") };
}
