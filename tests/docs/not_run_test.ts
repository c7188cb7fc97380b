import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { type Block, blocksOf, documents, readDocument } from "./markdown.ts";

/** All blocks the tests do not run. One more needs a reason that convinces whoever reads this list. */
const NOT_RUN = {
  "it starts the very stack these tests run on": 1,
  "it is what runs this": 1,
  "it takes a minute, and its figures are this machine's": 1,
  "the tests set both": 1,
  "there is no hosted project here": 9,
  "it is about a project of yours; tests/scripts/add_test.ts runs it": 2,
  "it is about a project of yours; tests/scripts/remove_test.ts runs it": 2,
  "it is about a table that no database of these tests has": 1,
  "it works until it is stopped; tests/docs/python_worker_test.ts runs it": 1,
  "it works until it is stopped": 1,
  "they work until they are stopped": 1,
};

Deno.test("no more blocks are left out than those known, and each for its reason", async () => {
  const counts: Record<string, number> = {};
  for (const { notRun } of await blocksNotRun()) counts[notRun!] = (counts[notRun!] ?? 0) + 1;
  assert.deepEqual(counts, NOT_RUN);
});

Deno.test("supabase commands that are not run are spelt as the CLI knows them", async () => {
  const commands = (await linesNotRun()).filter((line) => line.startsWith("npx supabase "));
  assert.ok(commands.length >= 5);
  await Promise.all(commands.map(async (line) => {
    const words = line.split(" ").slice(2);
    const isVerb = (word: string) => /^[a-z]+$/.test(word);
    const end = words.findIndex((word) => !isVerb(word));
    const verbs = end < 0 ? words : words.slice(0, end);
    const help = await supabaseHelp(verbs);
    assert.match(help, new RegExp(`^ *supabase ${verbs.join(" ")} `, "m"), line);
    for (const flag of words.filter((word) => word.startsWith("--"))) {
      assert.match(help, new RegExp(`^ *${flag}[ ,]`, "m"), line);
    }
  }));
});

Deno.test("npm commands that are not run exist", async () => {
  const { scripts } = JSON.parse(await readDocument("package.json"));
  const named = (await linesNotRun()).flatMap((line) =>
    line.match(/^npm (?:run )?(\w+)/)?.[1] ?? []
  );
  assert.ok(named.includes("start"));
  assert.deepEqual(named.filter((name) => name !== "ci" && !(name in scripts)), []);
});

async function blocksNotRun(): Promise<Block[]> {
  const blocks = await Promise.all(
    (await documents()).map(async (file) => blocksOf(file, await readDocument(file))),
  );
  return blocks.flat().filter(({ notRun }) => notRun !== null);
}

async function linesNotRun(): Promise<string[]> {
  return (await blocksNotRun()).flatMap(({ text }) => text.split("\n"));
}

async function supabaseHelp(verbs: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(join(PROJECT_DIR, "node_modules/.bin/supabase"), {
    args: [...verbs, "--help"],
    env: { SUPABASE_TELEMETRY_DISABLED: "1", SUPABASE_NO_UPDATE_NOTIFIER: "1", NO_COLOR: "1" },
    stdin: "null",
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}
