import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { eventually } from "../support/eventually.ts";

const CONTENDERS = ["dibs", "dibs_single", "guide", "limit", "graphile_worker", "pg_boss"];
/** What PostgreSQL of npm does not bring. */
const LEFT_OUT = ["pgmq", "pgq"];
const TASKS = 200;

/** A folder for all that a bench keeps while it runs. */
async function setUp() {
  const dir = await Deno.makeTempDir({ prefix: "dibs-test-bench-" });
  const start = (args: string[], env = {}) =>
    new Deno.Command("node", {
      args: ["scripts/run.mjs", "scripts/bench.ts", ...args],
      cwd: PROJECT_DIR,
      env: { TMPDIR: dir, PGMQ_SQL: "", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  return {
    dir,
    start,
    async run(args: string[], env = {}) {
      const { code, stdout, stderr } = await start(args, env).output();
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

Deno.test("a quick bench prints tables, one JSON object, keeps the results and leaves nothing", async () => {
  await using bench = await setUp();
  const kept = join(bench.dir, "kept.json");
  const args = "drain --quick --repeats 1 --json --tasks".split(" ");
  args.push(String(TASKS), "--out", kept);
  const { code, stdout, stderr } = await bench.run(args);

  assert.equal(code, 0, stderr);
  assert.equal(stdout.trimEnd().split("\n").length, 1, "only the JSON object is on stdout");
  const report = JSON.parse(stdout);
  assert.deepEqual(JSON.parse(await Deno.readTextFile(kept)), report);
  assert.equal(report.command, `npm run bench -- ${args.join(" ")}`);
  assert.equal(report.settings.fsync, "on");
  assert.equal(report.settings.autovacuum, "on");
  assert.match(report.versions.postgres, /^\d+/);
  assert.match(report.versions["npm:pg-boss"], /^\d+/);

  const lines: { contender: string; cell: string; figures: Record<string, { median: number }> }[] =
    report.summary;
  assert.deepEqual(new Set(lines.map(({ contender }) => contender)), new Set(CONTENDERS));
  for (const { contender, cell, figures } of lines) {
    const where = `${contender} ${cell}`;
    assert.equal(figures.executed.median, TASKS, where);
    assert(figures.tasks_per_second.median > 0, `${where}: rate`);
    assert(figures.wal_bytes_per_task.median > 100, `${where}: WAL`);
    assert(figures.dead_rows_per_task.median >= 0, `${where}: dead rows`);
    assert(Number.isFinite(figures.rows_left_per_task.median), `${where}: rows left`);
  }
  const dibs = lines.find(({ contender, cell }) => contender === "dibs" && cell === "W4 b1");
  assert(Number(dibs?.figures.against_guide.median) > 0);
  for (const name of [...CONTENDERS, "drain", "× guide"]) {
    assert(stderr.includes(name), `the table has ${name}`);
  }

  const goals: { measure: string }[] = report.goals;
  assert(goals.some(({ measure }) => measure === "drain W4 b1 against the guide"));
  for (const { measure } of goals) assert(stderr.includes(measure), `the goals have ${measure}`);

  assert.deepEqual(Object.keys(report.keeps).sort(), CONTENDERS.toSorted());
  assert(stderr.includes(`guide keeps ${report.keeps.guide}`), "the table says what each keeps");
  const leftOut: { contender: string; reason: string }[] = report.left_out;
  assert.deepEqual(leftOut.map(({ contender }) => contender).sort(), LEFT_OUT);
  for (const { contender, reason } of leftOut) {
    assert(
      stderr.includes(`Left out: ${contender}: ${reason}`),
      `${contender} is not left out silently`,
    );
  }
  assert.deepEqual(await leftIn(bench.dir), []);
  assert.deepEqual(await processesOn(bench.dir), []);
});

Deno.test("a folder without PostgreSQL is named, and nothing is left behind", async () => {
  await using bench = await setUp();
  const { code, stderr } = await bench.run(["drain", "--quick", "--postgres", bench.dir]);
  assert.equal(code, 1);
  assert.equal(stderr.trim(), `No PostgreSQL: there is no ${join(bench.dir, "initdb")}`);
  assert.deepEqual(await leftIn(bench.dir), []);
});

Deno.test("a PGMQ_SQL that is no file is named, and nothing is left behind", async () => {
  await using bench = await setUp();
  const env = { PGMQ_SQL: join(bench.dir, "pgmq.sql") };
  const { code, stderr } = await bench.run(["drain", "--quick"], env);
  assert.equal(code, 1);
  assert.match(stderr, /^PGMQ_SQL is to be the path of .*No such file/);
  assert(stderr.includes(env.PGMQ_SQL), stderr);
  assert.deepEqual(await leftIn(bench.dir), []);
  assert.deepEqual(await processesOn(bench.dir), []);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`a bench that gets ${signal} ends its server and removes its folder`, async () => {
    await using bench = await setUp();
    const child = bench.start(["drain"]);
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
  const { code, stderr } = await bench.run(["dance"]);
  assert.notEqual(code, 0);
  assert.match(stderr, /no workload dance/);
});

Deno.test("the help shows examples", async () => {
  await using bench = await setUp();
  const { code, stdout } = await bench.run(["--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /Examples:\n +npm run bench -- --quick/);
});
