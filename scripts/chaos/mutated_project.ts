import { join, relative } from "node:path";
import { PROJECT_DIR } from "../stack/migrate.ts";
import { listMigrations } from "../stack/migrations.ts";
import type { Mutation } from "./mutations.ts";

/** A folder with this project's `supabase/` and a bug in its migrations; removed on dispose. */
export async function mutatedProject(
  mutation: Mutation,
): Promise<{ dir: string } & AsyncDisposable> {
  const dir = await Deno.makeTempDir({ prefix: "dibs-mutated-" });
  const supabase = join(dir, "supabase");
  await Deno.mkdir(join(supabase, "migrations"), { recursive: true });
  for (const { name, text } of plant(mutation, await listMigrations())) {
    await Deno.writeTextFile(join(supabase, "migrations", name), text);
  }
  const config = await Deno.readTextFile(join(PROJECT_DIR, "supabase/config.toml"));
  const functions = relative(supabase, join(PROJECT_DIR, "functions"));
  await Deno.writeTextFile(
    join(supabase, "config.toml"),
    config.replaceAll('"../functions/', `"${functions}/`),
  );
  return { dir, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}

/** Fails when the migrations have changed so much that it cannot be planted. */
function plant<M extends { text: string }>({ replace }: Mutation, migrations: M[]): M[] {
  let planted = migrations;
  for (const [from, to] of replace) {
    const found = planted.reduce((sum, { text }) => sum + text.split(from).length - 1, 0);
    if (found !== 1) throw new Error(`The migrations have this ${found} times, not once: ${from}`);
    planted = planted.map((migration) => ({
      ...migration,
      text: migration.text.replace(from, () => to),
    }));
  }
  return planted;
}
