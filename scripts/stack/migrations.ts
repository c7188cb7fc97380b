import { join } from "node:path";
import type { Sql } from "postgres";
import { PROJECT_DIR } from "./migrate.ts";

/** A file of supabase/migrations. */
export interface Migration {
  name: string;
  text: string;
}

/** Every migration of a project, in the order `supabase db push` applies them. */
export async function listMigrations(projectDir = PROJECT_DIR): Promise<Migration[]> {
  const dir = join(projectDir, "supabase/migrations");
  const names = Array.fromAsync(Deno.readDir(dir), ({ name }) => name);
  return await Promise.all(
    (await names).sort().map(async (name) => ({
      name,
      text: await Deno.readTextFile(join(dir, name)),
    })),
  );
}

/** Applies migrations as `psql --single-transaction --file` would, whether they were before or not. */
export async function applyMigrations(sql: Sql, migrations: Migration[]): Promise<void> {
  for (const { text } of migrations) await sql.unsafe(text);
}
