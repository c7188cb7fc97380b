import { parse } from "@std/toml/parse";
import { PROJECT_DIR } from "../stack/migrate.ts";
import { listMigrations } from "../stack/migrations.ts";
import { blockOf, type FunctionSettings } from "./config_block.ts";
import { Repository } from "./repository.ts";

/** Where a project keeps what is Dibs's: as a root of this repository, with functions and import map. */
export const DIBS_DIR = "supabase/dibs";

/** What this version of Dibs puts into a project. */
export interface Release {
  version: string;
  /** Path in the project → text. */
  files: Map<string, string>;
  /** In the order in which they are applied. */
  migrations: { subject: string; text: string }[];
  /** The names of its functions. */
  functions: string[];
  /** The part of config.toml that has them. */
  configBlock: string;
  /** What takes Dibs out of a database, as a migration. */
  uninstall: string;
}

/** Reads it from the repository of Dibs that this program is part of. */
export async function readRelease(): Promise<Release> {
  const dibs = new Repository(PROJECT_DIR);
  const read = async (path: string) => (await dibs.read(path))!;
  const functions = parse(await read("supabase/config.toml")).functions as FunctionSettings;
  const files = new Map<string, string>();
  for (const path of await dibs.list("functions")) {
    files.set(`${DIBS_DIR}/${path}`, await read(path));
  }
  files.set(`${DIBS_DIR}/deno.json`, importMap(await read("deno.json"), [...files.values()]));
  return {
    version: JSON.parse(await read("package.json")).version,
    files,
    migrations: (await listMigrations()).map(({ name, text }) => ({
      subject: name.replace(/^\d+_(.*)\.sql$/, "$1"),
      text,
    })),
    functions: Object.keys(functions),
    configBlock: blockOf(functions),
    uninstall: asMigration(await read("supabase/uninstall.sql")),
  };
}

/** Of the import map of this repository, what functions import. */
function importMap(denoJson: string, sources: string[]): string {
  const { imports } = JSON.parse(denoJson) as { imports: Record<string, string> };
  const imported = Object.entries(imports)
    .filter(([name]) => sources.some((source) => source.includes(`from "${name}"`)));
  return JSON.stringify({ imports: Object.fromEntries(imported) }, null, 2) + "\n";
}

/** `supabase db push` makes the transaction itself. */
function asMigration(script: string): string {
  const [, statements] = script.match(/^(?:--.*\n)*begin;\n([^]*)\ncommit;\n$/)!;
  return "-- Takes Dibs out of the database: everything but public.thoughts, all tasks and claims with it.\n" +
    statements;
}
