import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { eventually } from "../support/eventually.ts";

const CONTENDERS = ["dibs", "dibs_single", "guide", "limit", "graphile_worker", "pg_boss"];
const TASKS = 200;

/** A folder for all that a bench keeps while it runs. */
async function setUp() {
  const dir = await Deno.makeTempDir({ prefix: "dibs-test-bench-" });
  const start = (...args: string[]) =>
    new Deno.Command("node", {
      args: ["scripts/run.mjs", "scripts/bench.ts", ...args],
      cwd: PROJECT_DIR,
      env: { TMPDIR: dir },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  return {
    dir,
    start,
    async run(...args: string[]) {
      const { code, stdout, stderr } = await start(...args).output();
      const text = new TextDecoder();
      return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
    },
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

/** The processes that have a path in their command line. */
async function processesOn(path: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["-e", "-o", "args="] }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line.includes(path));
}

/** What the bench left in its folder; the supabase CLI unpacks itself there too. */
async function leftIn(dir: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(dir));
  return entries.map(({ name }) => name).filter((name) => name.startsWith("dibs-"));
}

Deno.test("a quick bench prints a table, one JSON object, keeps the results and leaves nothing", async () => {
  await using bench = await setUp();
  const kept = join(bench.dir, "kept.json");
  const args = ["--quick", "--tasks", String(TASKS), "--repeats", "1", "--json", "--out", kept];
  const { code, stdout, stderr } = await bench.run(...args);

  assert.equal(code, 0, stderr);
  assert.equal(stdout.trimEnd().split("\n").length, 1, "only the JSON object is on stdout");
  const report = JSON.parse(stdout);
  assert.deepEqual(JSON.parse(await Deno.readTextFile(kept)), report);
  assert.equal(report.command, `npm run bench -- ${args.join(" ")}`);
  assert.equal(report.settings.fsync, "on");
  assert.match(report.versions.postgres, /^\d+/);

  const drains = report.summary.filter(({ workload }: { workload: string }) =>
    workload === "drain"
  );
  assert.deepEqual(
    new Set(drains.map(({ contender }: { contender: string }) => contender)),
    new Set(CONTENDERS),
  );
  for (const { contender, cell, figures } of drains) {
    const where = `${contender} ${cell}`;
    assert.equal(figures.executed.median, TASKS, where);
    for (const figure of ["tasks_per_second", "against_guide", "against_limit"]) {
      assert(figures[figure].median > 0, `${where}: ${figure}`);
    }
    assert(figures.wal_bytes_per_task.median > 100, `${where}: WAL`);
    assert(figures.dead_rows_per_task.median >= 0, `${where}: dead rows`);
  }
  for (const name of [...CONTENDERS, "enqueue", "drain", "pinned", "claims", "× guide"]) {
    assert(stderr.includes(name), `the table has ${name}`);
  }
  assert.deepEqual(await leftIn(bench.dir), []);
  assert.deepEqual(await processesOn(bench.dir), []);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`a bench that gets ${signal} ends its server and removes its folder`, async () => {
    await using bench = await setUp();
    const child = bench.start("drain");
    const output = child.stdout.cancel();
    let said = "";
    const listening = (async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) said += text;
    })();
    await eventually("the first repeat", () => said.includes("Repeat 1"), 60);
    child.kill(signal);

    assert.equal((await child.status).code, 130);
    await Promise.all([output, listening]);
    assert.doesNotMatch(said, /error/i);
    assert.deepEqual(await processesOn(bench.dir), []);
    assert.deepEqual(await leftIn(bench.dir), []);
  });
}

Deno.test("an unknown workload is refused before anything starts", async () => {
  await using bench = await setUp();
  const { code, stderr } = await bench.run("dance");
  assert.notEqual(code, 0);
  assert.match(stderr, /no workload dance/);
});

Deno.test("the help shows examples", async () => {
  await using bench = await setUp();
  const { code, stdout } = await bench.run("--help");
  assert.equal(code, 0);
  assert.match(stdout, /Examples:\n +npm run bench -- --quick/);
});
