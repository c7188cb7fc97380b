import { join } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { freshDatabase } from "../support/database.ts";
import type { SharedStack } from "../support/stack.ts";
import type { Block } from "./markdown.ts";

/** Runs the blocks of one document in order, as a reader with a clone, a terminal and a SQL editor. */
export interface Runner extends AsyncDisposable {
  /** What it printed; throws when it fails. A handler is written into the clone instead. */
  run(block: Block): Promise<string>;
}

export const RUNNABLE = ["sql", "sh", "ts"];

export async function documentRunner(stack: SharedStack): Promise<Runner> {
  await using started = new AsyncDisposableStack();
  const database = started.use(await freshDatabase());
  const clone = await makeClone();
  started.defer(() => Deno.remove(clone, { recursive: true }));
  const env = {
    SUPABASE_URL: stack.url,
    SUPABASE_SECRET_KEY: stack.secretKey,
    DIBS_MAIL_URL: stack.mailUrl,
  };
  const deno = (...args: string[]) => ({ program: Deno.execPath(), args, cwd: clone, env });

  const runners: Record<string, (text: string) => Promise<string>> = {
    sql: (text) => execute({ program: "psql", args: [...PSQL, database.url], cwd: clone }, text),
    sh: (text) =>
      execute(
        { program: "bash", args: ["-euo", "pipefail"], cwd: clone, env },
        inOneTerminal(text),
      ),
    ts: (text) => execute(deno("run", "-A", "--no-lock", "--ext=ts", "-"), text),
  };
  const parts = started.move();
  return {
    async run({ language, text }) {
      const handler = text.match(/^\/\/ (functions\/handlers\/\w+\.ts)\n/)?.[1];
      if (language !== "ts" || !handler) return await runners[language](text);
      await Deno.writeTextFile(join(clone, handler), text, { append: true });
      if (!handler.endsWith("/index.ts")) return "";
      return await execute(deno("check", "-q", "--no-lock", handler), "");
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/** A copy of what a reader may add files to; the packages are those of the original. */
async function makeClone(): Promise<string> {
  const clone = await Deno.makeTempDir({ prefix: "dibs-test-docs-" });
  for (const name of ["functions", "scripts", "docs", "deno.json", "package.json"]) {
    await copy(join(PROJECT_DIR, name), join(clone, name));
  }
  await copy(join(PROJECT_DIR, "package-lock.json"), join(clone, "package-lock.json"));
  await Deno.symlink(join(PROJECT_DIR, "node_modules"), join(clone, "node_modules"));
  return clone;
}

async function copy(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) await copy(join(from, name), join(to, name));
}

const PSQL = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-P", "footer=off"];

/** What a block sets, the next one finds. */
function inOneTerminal(text: string): string {
  const variables = ".variables";
  return `touch ${variables}; . ./${variables}; set -a\n${text}\n{ export -p; declare -f; } > ${variables}\n`;
}

interface Program {
  program: string;
  args: string[];
  cwd: string;
  env?: Record<string, string>;
}

/** Runs a program with the text as its input. */
async function execute({ program, ...options }: Program, input: string): Promise<string> {
  const child = new Deno.Command(program, {
    ...options,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // A program that ends before it has read everything says itself what is wrong.
  await writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const [printed, complaints] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (code === 0) return printed;
  throw new Error(`${program} ended with ${code}:\n${complaints}${printed}`);
}
