import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";

/** The files of a Supabase project, by their paths from its root. */
export class Repository {
  constructor(readonly dir: string) {}

  exists(path: string): Promise<boolean> {
    return Deno.stat(join(this.dir, path)).then(() => true, () => false);
  }

  /** A file's text, which encodes to its very bytes again; null where there is no such file. */
  async read(path: string): Promise<string | null> {
    if (!await this.exists(path)) return null;
    const bytes = await Deno.readFile(join(this.dir, path));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  }

  /** Every file below a folder, in order; none where there is no such folder. */
  async list(folder: string): Promise<string[]> {
    if (!await this.exists(folder)) return [];
    const entries = await readdir(join(this.dir, folder), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory())
      .map(({ parentPath, name }) =>
        relative(this.dir, join(parentPath, name)).replaceAll("\\", "/")
      )
      .sort();
  }
}
