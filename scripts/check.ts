import { Command } from "commander";
import picocolors from "picocolors";
import { stripVTControlCharacters } from "node:util";
import { emptyNames, tooLong, untidySql } from "./check/house_rules.ts";
import { readSources } from "./check/sources.ts";
import { generateFiles } from "./generate/files.ts";
import { PROJECT_DIR } from "./stack/migrate.ts";

interface Check {
  name: string;
  mend: string;
  /** What is wrong, as lines to print. */
  problems(): Promise<string[]>;
}

const CHECKS: Check[] = [
  { name: "format", mend: "npx deno fmt", problems: unformatted },
  {
    name: "lint",
    mend: "see the link after each problem",
    problems: () => deno("lint", "--quiet"),
  },
  {
    name: "types",
    mend: "make the types fit",
    problems: () => deno("check", "--quiet", "functions", "scripts", "tests"),
  },
  { name: "generated files", mend: "npm run generate", problems: staleFiles },
  {
    name: "file length",
    mend: 'split the file, or begin it with "// longer than 300 lines because …"',
    problems: async () => tooLong(await readSources()),
  },
  {
    name: "file names",
    mend: "name the file after the one thing in it",
    problems: async () => emptyNames(await readSources()),
  },
  {
    name: "SQL layout",
    mend: "break the line before column 120; indent with blanks",
    problems: async () => untidySql(await readSources()),
  },
];

new Command("npm run check")
  .description(`Checks everything but behaviour: ${CHECKS.map(({ name }) => name).join(", ")}.`)
  .parse(Deno.args, { from: "user" });

const colorful = Deno.stdout.isTerminal() && !Deno.noColor;
const { green, red } = picocolors.createColors(colorful);
let failed = false;
for (const { name, mend, problems } of CHECKS) {
  const found = await problems();
  console.log(found.length === 0 ? `${green("✓")} ${name}` : `${red("✗")} ${name}: ${mend}`);
  for (const line of found) console.log(`    ${line}`);
  failed ||= found.length > 0;
}
Deno.exit(failed ? 1 : 0);

/** Deno shows what it would change; which files is enough. */
async function unformatted(): Promise<string[]> {
  const said = await deno("fmt", "--check");
  const files = said.filter((line) => stripVTControlCharacters(line).startsWith("from "));
  return files.length > 0 ? files : said;
}

async function deno(...args: string[]): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: PROJECT_DIR,
    env: colorful ? {} : { NO_COLOR: "1" },
  }).output();
  if (success) return [];
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  return said.split("Stack backtrace:")[0].trim().split("\n");
}

async function staleFiles(): Promise<string[]> {
  const files = await generateFiles();
  return files.filter(({ isFresh }) => !isFresh).map(({ path }) => `${path} is stale`);
}
