import { join, relative } from "node:path";
import { PROJECT_DIR } from "../stack/migrate.ts";

/** A file that people write and read. */
export interface Source {
  /** From the root of the repository. */
  path: string;
  text: string;
}

const NOT_OURS = new Set([".git", ".dibs", "node_modules", ".temp", ".branches"]);
const GENERATED = new Set(["supabase/schema.sql", "functions/_shared/database.types.ts"]);
const WRITTEN = /\.(tsx?|mjs|py|sql|md|yml)$|^\.ci\/run$/;

/** Every file of ours, by path. */
export async function readSources(root = PROJECT_DIR, dir = root): Promise<Source[]> {
  const sources: Source[] = [];
  for await (const entry of Deno.readDir(dir)) {
    const path = relative(root, join(dir, entry.name));
    if (entry.isDirectory) {
      if (!NOT_OURS.has(entry.name)) sources.push(...await readSources(root, join(root, path)));
    } else if (WRITTEN.test(path) && !GENERATED.has(path)) {
      sources.push({ path, text: await Deno.readTextFile(join(root, path)) });
    }
  }
  return sources.sort((a, b) => a.path < b.path ? -1 : 1);
}
