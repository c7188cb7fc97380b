import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { copyOfProject } from "./copy_of_project.ts";
import { PLAIN_ROWS, PLAIN_TASKS } from "./plain_tasks.ts";

/** The files that somebody's Supabase project has, by their paths. */
export type Files = Record<string, string>;

/** Projects of different shapes, none of which has Dibs. */
export const SAMPLES: Record<string, Files> = {
  "that is empty": { "supabase/config.toml": 'project_id = "empty"\n' },
  "with functions and migrations of its own": {
    "deno.json": `{ "imports": { "greeting": "./greeting.ts" } } // theirs\n`,
    "package.json": `{ "name": "shop" }\n`,
    "supabase/config.toml": '# No line break at the end.\nproject_id = "shop"\n\n' +
      '[db]\nmajor_version = 17\n\n[functions.hello]\nverify_jwt = false\nentrypoint = "./functions/hello/index.ts"',
    "supabase/functions/_shared/greeting.ts": 'export const greeting = "hello";\n',
    "supabase/functions/hello/index.ts": 'import { greeting } from "../_shared/greeting.ts";\n' +
      "export default { fetch: () => Response.json({ greeting }) };\n",
    "supabase/migrations/20240101000000_orders.sql":
      "create table public.orders (id int primary key);\ninsert into public.orders values (1), (2);\n",
    "supabase/migrations/20300101000000_later.sql": "alter table public.orders add note text;\n",
    "supabase/seed.sql": "",
  },
  "with thoughts": {
    "supabase/config.toml": 'project_id = "brain"\r\n[api]\r\nschemas = ["public"]\r\n',
    "supabase/migrations/20250101000000_brain.sql":
      `create table public.thoughts (id uuid primary key default gen_random_uuid(), content text not null, metadata jsonb, mood text);
      insert into public.thoughts (content) select 'thought ' || n from generate_series(1, 20) n;\n`,
  },
  "with a plain table of tasks": {
    "supabase/config.toml": 'project_id = "queue"\n',
    "supabase/migrations/20250101000000_queue.sql": PLAIN_TASKS + PLAIN_ROWS(250),
  },
};

export const EMPTY = SAMPLES["that is empty"];
export const SHOP = SAMPLES["with functions and migrations of its own"];

/** A project in a folder of its own; removed on dispose. */
export interface Sample extends AsyncDisposable {
  dir: string;
  /** All files there are now. */
  files(): Promise<Files>;
  write(files: Files): Promise<void>;
  /** Puts Dibs into it, or takes it out. */
  run(command: "add" | "remove", ...args: string[]): Promise<Ended>;
}

/** How a command ended, and what it said. */
export interface Ended {
  code: number;
  out: string;
  err: string;
}

export async function sampleProject(files: Files): Promise<Sample> {
  const dir = await Deno.makeTempDir({ prefix: "dibs-test-sample-" });
  await writeFiles(dir, files);
  return {
    dir,
    files: () => readFiles(dir),
    write: (files) => writeFiles(dir, files),
    run: (command, ...args) => runIn(PROJECT_DIR, command, dir, args),
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

/** A later version of Dibs, 99.0.0: one migration and some functions are different. */
export async function laterDibs() {
  const copy = await copyOfProject();
  const edit = async (path: string, from: string, to: string) => {
    const text = await Deno.readTextFile(join(copy.dir, path));
    assert.ok(text.includes(from), `${path} has ${from}`);
    await Deno.writeTextFile(join(copy.dir, path), text.replace(from, to));
  };
  const { version } = JSON.parse(await Deno.readTextFile(join(copy.dir, "package.json")));
  await edit("package.json", `"version": "${version}"`, '"version": "99.0.0"');
  await edit("functions/_shared/version.ts", `"${version}"`, '"99.0.0"');
  await edit("supabase/migrations/20261121000100_schema.sql", `'${version}'`, "'99.0.0'");
  await writeFiles(copy.dir, {
    "functions/_shared/novelty.ts": "export const novelty = true;\n",
    "functions/handlers/index.ts": "// Other examples.\n",
  });
  await Deno.remove(join(copy.dir, "functions/openapi.json"));
  return {
    ...copy,
    edit,
    addTo: (sample: Sample, ...args: string[]) => runIn(copy.dir, "add", sample.dir, args),
  };
}

/** Puts Dibs into a project, which must succeed. */
export async function add(project: Sample, ...args: string[]): Promise<Ended> {
  const ended = await project.run("add", ...args);
  assertDone(ended);
  return ended;
}

export function assertDone({ code, out, err }: Ended): void {
  assert.equal(code, 0, out + err);
}

/** Fails unless it is told what is in the way, where and with which mend, and nothing is changed. */
export async function assertRefused(
  project: Sample,
  wanted: [path: string, problem: RegExp, mend: RegExp][],
): Promise<void> {
  const before = await project.files();
  const { code, out, err } = await project.run("add", "--json");
  assert.equal(code, 1, err);
  const { ok, done, obstacles } = JSON.parse(out);
  assert.deepEqual([ok, done, obstacles.length], [false, false, wanted.length], out);
  for (const [n, [path, problem, mend]] of wanted.entries()) {
    assert.equal(obstacles[n].path, path);
    assert.match(obstacles[n].problem, problem);
    assert.match(obstacles[n].mend, mend);
  }
  assert.match(err, /Nothing was changed\./);
  assert.deepEqual(await project.files(), before);
}

async function runIn(clone: string, command: "add" | "remove", dir: string, args: string[]) {
  const folder = command === "add" ? "--into" : "--from";
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--quiet", `scripts/${command}.ts`, folder, dir, ...args],
    cwd: clone,
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/** Each byte as a character, so that none is read as another one. */
async function readFiles(dir: string): Promise<Files> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  const texts = await Promise.all(
    paths.map(async (path) => [
      relative(dir, path),
      new TextDecoder("latin1").decode(await Deno.readFile(path)),
    ]),
  );
  return Object.fromEntries(texts.sort());
}

async function writeFiles(dir: string, files: Files): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await Deno.mkdir(dirname(join(dir, path)), { recursive: true });
    await Deno.writeTextFile(join(dir, path), text);
  }
}
