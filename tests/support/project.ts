import { dirname, join } from "node:path";

/** A Supabase project in a folder of its own, removed on dispose. */
export async function scratchProject(
  { migration = "", functions = {} }: {
    migration?: string;
    /** Function name → the source of its index.ts. */
    functions?: Record<string, string>;
  },
): Promise<{ dir: string } & AsyncDisposable> {
  const dir = await Deno.makeTempDir({ prefix: "dibs-test-project-" });
  const write = async (path: string, text: string) => {
    await Deno.mkdir(dirname(join(dir, path)), { recursive: true });
    await Deno.writeTextFile(join(dir, path), text);
  };
  const names = Object.keys(functions);
  await write(
    "supabase/config.toml",
    ['project_id = "scratch"', ...names.map((name) => `[functions.${name}]`)].join("\n"),
  );
  await write("supabase/migrations/20260101000000_scratch.sql", migration);
  for (const name of names) await write(`supabase/functions/${name}/index.ts`, functions[name]);
  return { dir, [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
}
