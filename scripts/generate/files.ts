import { join } from "node:path";
import type { Sql } from "postgres";
import { plotFiles } from "../bench/plots/plots.ts";
import { PROJECT_DIR } from "../stack/migrate.ts";
import { databaseTypes } from "./database_types.ts";
import { withFigures } from "./figures_md.ts";
import { withMigratedDatabase } from "./migrated_database.ts";
import { openApiJson } from "./openapi_json.ts";
import { schemaSql } from "./schema_sql.ts";

/** A file that is made from others: the whole of it, or the tables of figures in it. */
export interface GeneratedFile {
  /** From the root of the repository. */
  path: string;
  /** What it must hold. */
  text: string;
  /** Whether it holds that already. */
  isFresh: boolean;
}

const GENERATORS: Record<string, (sql: Sql) => string | Promise<string>> = {
  "supabase/schema.sql": schemaSql,
  "functions/_shared/database.types.ts": databaseTypes,
  "functions/openapi.json": openApiJson,
  "README.md": () => withFigures("README.md"),
  "docs/dashboard.md": () => withFigures("docs/dashboard.md"),
  "docs/limits.md": () => withFigures("docs/limits.md"),
  "docs/performance.md": () => withFigures("docs/performance.md"),
  "docs/retention.md": () => withFigures("docs/retention.md"),
  "docs/sources.md": () => withFigures("docs/sources.md"),
  ...plotFiles,
};

/** Generates every file, without writing any. */
export async function generateFiles(): Promise<GeneratedFile[]> {
  return await withMigratedDatabase((sql) =>
    Promise.all(
      Object.entries(GENERATORS).map(async ([path, generate]) => {
        const text = await generate(sql);
        const found = await Deno.readTextFile(join(PROJECT_DIR, path)).catch(() => "");
        return { path, text, isFresh: text === found };
      }),
    )
  );
}
