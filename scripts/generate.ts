import { Command } from "commander";
import { join } from "node:path";
import { generateFiles } from "./generate/files.ts";
import { PROJECT_DIR } from "./stack/migrate.ts";

const { check } = new Command("npm run generate --")
  .description(
    "Writes the generated files: schema.sql, database.types.ts, openapi.json, the plots of the\n" +
      "bench in docs/images, and the figures in README.md and in docs/: dashboard.md, limits.md,\n" +
      "performance.md, retention.md, sources.md.",
  )
  .option("--check", "write nothing; fail when a generated file is stale")
  .parse(Deno.args, { from: "user" }).opts<{ check?: true }>();

const files = await generateFiles();
const stale = files.filter(({ isFresh }) => !isFresh);
for (const { path, text } of stale) {
  if (check) {
    console.error(`${path} is stale: run npm run generate`);
  } else {
    await Deno.writeTextFile(join(PROJECT_DIR, path), text);
    console.log(`${path} written`);
  }
}
if (stale.length === 0) console.log(`${files.length} generated files are fresh`);
Deno.exit(check && stale.length > 0 ? 1 : 0);
