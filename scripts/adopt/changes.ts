import { rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";

/** What becomes of one file. */
export interface Change {
  /** From the root of the project. */
  path: string;
  /** Its text; null where there is no such file. */
  before: string | null;
  after: string | null;
}

/** How many lines a change adds and takes away. */
export function linesOf({ before, after }: Change): { added: number; removed: number } {
  const [were, are] = [before, after].map((text) => text?.split(/(?<=\n)/) ?? []);
  return { added: without(are, were).length, removed: without(were, are).length };
}

/** Those lines that the others have not, or not as often. */
function without(lines: string[], others: string[]): string[] {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const times = left.get(line) ?? 0;
    left.set(line, times - 1);
    return times <= 0;
  });
}

/** Makes all changes, or none: when one fails, or the signal comes, the files are what they were. */
export async function makeChanges(
  dir: string,
  changes: Change[],
  signal?: AbortSignal,
): Promise<void> {
  const begun: Change[] = [];
  try {
    for (const change of changes) {
      signal?.throwIfAborted();
      begun.push(change);
      await put(dir, change.path, change.after);
    }
  } catch (error) {
    for (const { path, before } of begun.reverse()) await put(dir, path, before);
    throw error;
  }
}

async function put(dir: string, path: string, text: string | null): Promise<void> {
  if (text === null) return await remove(dir, path);
  await Deno.mkdir(dirname(join(dir, path)), { recursive: true });
  await Deno.writeTextFile(join(dir, path), text);
}

/** With the folders that hold nothing any more. */
async function remove(dir: string, path: string): Promise<void> {
  await Deno.remove(join(dir, path)).catch(ignoreMissing);
  for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) {
    if (await rmdir(join(dir, folder)).then(() => false, () => true)) return;
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) {
    throw error;
  }
}
