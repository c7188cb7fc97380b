import { join } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { execute } from "./execute.ts";
import type { Block } from "./markdown.ts";

/** A copy of what a reader may add files to; the packages are those of the original. */
export async function makeClone(): Promise<string> {
  const clone = await Deno.makeTempDir({ prefix: "dibs-test-docs-" });
  for (const name of ["functions", "scripts", "docs", "deno.json", "package.json"]) {
    await copy(join(PROJECT_DIR, name), join(clone, name));
  }
  await copy(join(PROJECT_DIR, "package-lock.json"), join(clone, "package-lock.json"));
  await Deno.symlink(join(PROJECT_DIR, "node_modules"), join(clone, "node_modules"));
  return clone;
}

/** Whether all handlers that stand in these blocks are what handlers have to be. */
export async function checkHandlers(blocks: Block[]): Promise<void> {
  const clone = await makeClone();
  try {
    for (const block of blocks) if (isHandler(block)) await addHandler(clone, block);
    const args = ["check", "--quiet", "--no-lock", "functions/handlers/index.ts"];
    await execute({ program: Deno.execPath(), args, cwd: clone }, "");
  } finally {
    await Deno.remove(clone, { recursive: true });
  }
}

/** A file begins with its path; the list of all handlers is a file one adds a line to. */
const HANDLER = /^\/\/ (functions\/handlers\/\w+\.ts)\n/;

export function isHandler({ language, text }: Block): boolean {
  return language === "ts" && HANDLER.test(text);
}

export async function addHandler(clone: string, { text }: Block): Promise<void> {
  await Deno.writeTextFile(join(clone, text.match(HANDLER)![1]), text, { append: true });
}

async function copy(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) await copy(join(from, name), join(to, name));
}
