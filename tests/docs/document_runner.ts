import { freshDatabase } from "../support/database.ts";
import type { SharedStack } from "../support/stack.ts";
import { addHandler, isHandler, makeClone } from "./clone.ts";
import { execute } from "./execute.ts";
import type { Block } from "./markdown.ts";

/** Runs the blocks of one document in order, as a reader with a clone, a terminal and a SQL editor. */
export interface Runner extends AsyncDisposable {
  /** What it printed; throws when it fails. A handler is added to the clone instead. */
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
  const deno = ["run", "--allow-all", "--no-lock", "--ext=ts", "-"];

  const runners: Record<string, (text: string) => Promise<string>> = {
    sql: (text) => execute({ program: "psql", args: [...PSQL, database.url], cwd: clone }, text),
    sh: (text) =>
      execute(
        { program: "bash", args: ["-euo", "pipefail"], cwd: clone, env },
        inOneTerminal(text),
      ),
    ts: (text) => execute({ program: Deno.execPath(), args: deno, cwd: clone, env }, text),
  };
  const parts = started.move();
  return {
    async run(block) {
      if (!isHandler(block)) return await runners[block.language](block.text);
      await addHandler(clone, block);
      return "";
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

const PSQL = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-P", "footer=off"];

/** What a block sets, the next one finds. */
function inOneTerminal(text: string): string {
  const variables = ".variables";
  return `touch ${variables}; . ./${variables}; set -a\n${text}\n{ export -p; declare -f; } > ${variables}\n`;
}
