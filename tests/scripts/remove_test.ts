import assert from "node:assert/strict";
import { migrate } from "../../scripts/stack/migrate.ts";
import { runCommand } from "../support/command.ts";
import { freshDatabase } from "../support/database.ts";
import {
  EMPTY,
  type Ended,
  type Files,
  type Sample,
  sampleProject,
  SAMPLES,
  SHOP,
} from "../support/sample_projects.ts";

const CONFIG = "supabase/config.toml";
const HANDLERS = "supabase/dibs/functions/handlers/";

Deno.test("where nothing was pushed nothing is left, whatever the project looks like", async () => {
  for (const files of Object.values(SAMPLES)) {
    await using project = await sampleProject(files);
    const before = await project.files();
    await done(project, "add");
    const { out } = await done(project, "remove", "--never-pushed");
    assert.deepEqual(await project.files(), before);
    assert.doesNotMatch(out, /left to do/);
  }
});

Deno.test("config.toml is the same to the byte, however it ends and whatever was written below", async () => {
  const texts = ["", "\n", "a = 1", "a = 1\n\n\n", "a = 1\r\nb = 2", "\ufeffa = 'ä'\n# end "];
  for (const text of texts) {
    await using project = await sampleProject({ [CONFIG]: text });
    const before = await project.files();
    await done(project, "add");
    await done(project, "remove", "--never-pushed");
    assert.deepEqual(await project.files(), before, JSON.stringify(text));
  }

  await using project = await sampleProject(SHOP);
  await done(project, "add");
  const below = "\n[functions.other]\nverify_jwt = true\n";
  await Deno.writeTextFile(`${project.dir}/${CONFIG}`, below, { append: true });
  await done(project, "add");
  await done(project, "remove");
  assert.equal((await project.files())[CONFIG], SHOP[CONFIG] + below);
});

Deno.test("with --dry-run it shows what would go and changes nothing", async () => {
  await using project = await sampleProject(SHOP);
  await done(project, "add");
  const before = await project.files();
  const { out, err } = await done(project, "remove", "--dry-run", "--json");
  assert.deepEqual(await project.files(), before);
  const { changes, done: isDone } = JSON.parse(out);
  assert.equal(isDone, false);
  assert.ok(changes.some(({ path }: { path: string }) => path.endsWith("_dibs_uninstall.sql")));
  assert.match(err, /- supabase\/dibs\/functions\/claim\/index\.ts {2}-\d+/);
});

Deno.test("pushed, taken out, pushed, put in again and pushed: the database follows each time", async () => {
  await using db = await freshDatabase({ migrated: false });
  await using project = await sampleProject(SHOP);
  const isThere = async () => {
    await migrate(db.url, project.dir);
    const [{ is }] = await db.sql`select to_regnamespace('dibs') is not null as is`;
    return is;
  };
  for (let time = 1; time <= 2; time++) {
    await done(project, "add");
    assert.equal(await isThere(), true);
    const { out } = await done(project, "remove");
    assert.match(out, /supabase db push, which drops all of Dibs but public\.thoughts/);
    assert.equal(await isThere(), false);
  }
  const names = Object.keys(theirs(await project.files()));
  assert.deepEqual(names, Object.keys(theirs(SHOP)), "and everything else is as it was");
});

Deno.test("handlers of the project stay and are listed, and so does what it changed", async () => {
  await using project = await sampleProject(EMPTY);
  await done(project, "add");
  const mine: Files = {
    [`${HANDLERS}index.ts`]: 'export { mine } from "./mine.ts";\n',
    [`${HANDLERS}mine.ts`]: "export const mine = 1;\n",
  };
  await project.write(mine);
  const { out } = await done(project, "remove", "--never-pushed");
  assert.deepEqual(await project.files(), { ...EMPTY, ...mine });
  for (const path of Object.keys(mine)) {
    assert.match(out, new RegExp(`Left as you made it[^]*${path}`));
  }
});

Deno.test("with --force what the project changed goes as well, but nothing that it added", async () => {
  await using project = await sampleProject(EMPTY);
  await done(project, "add");
  const mine = { [`${HANDLERS}mine.ts`]: "export const mine = 1;\n" };
  await project.write({ ...mine, [`${HANDLERS}index.ts`]: "// Mine.\n" });
  await done(project, "remove", "--never-pushed", "--force");
  assert.deepEqual(await project.files(), { ...EMPTY, ...mine });
});

Deno.test("lines that somebody wrote between those of Dibs in config.toml are not lost", async () => {
  await using project = await sampleProject(EMPTY);
  await done(project, "add");
  const config = (await project.files())[CONFIG];
  await project.write({ [CONFIG]: config.replace("# <<<", "[functions.mine]\n# <<<") });
  const before = await project.files();
  const { code, out } = await project.run("remove");
  assert.equal(code, 1);
  assert.match(out, /was changed by you between the two lines of Dibs\.\n +Move what is yours out/);
  assert.deepEqual(await project.files(), before);
  await done(project, "remove", "--never-pushed", "--force");
  assert.deepEqual(await project.files(), EMPTY);
});

Deno.test("where there is no Dibs it says so", async () => {
  await using project = await sampleProject(EMPTY);
  const { code, err } = await project.run("remove");
  assert.equal(code, 1);
  assert.match(err, /There is no Dibs in .*: it has no supabase\/dibs\.json\./);
});

Deno.test("wrong use ends with 2 and says what is wrong", async () => {
  const { output, ended } = runCommand("scripts/remove.ts", []);
  assert.equal(await ended, 2);
  assert.match(output.stderr, /required option '--from <folder>'/);
});

async function done(project: Sample, command: "add" | "remove", ...args: string[]): Promise<Ended> {
  const ended = await project.run(command, ...args);
  assert.equal(ended.code, 0, ended.out + ended.err);
  return ended;
}

function theirs(files: Files): Files {
  return Object.fromEntries(
    Object.entries(files).filter(([path]) => !path.includes("_dibs_")).sort(),
  );
}
