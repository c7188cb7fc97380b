// The long-lived worker as a process, the way people start it.
import assert from "node:assert/strict";
import { join } from "node:path";
import postgres from "postgres";
import { Summary } from "../../functions/_shared/schemas.ts";
import { PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { post } from "../support/endpoints.ts";
import { eventually } from "../support/eventually.ts";
import { testStack } from "../support/stack.ts";

function start(args: string[], env: Record<string, string> = {}) {
  return new Deno.Command("node", {
    args: [join(PROJECT_DIR, "scripts/run.mjs"), "scripts/worker.ts", ...args],
    env: { SUPABASE_URL: "", SUPABASE_SECRET_KEY: "", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function ended(process: Deno.ChildProcess) {
  const { code, stdout, stderr } = await process.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

const SOMEWHERE = { SUPABASE_URL: "http://127.0.0.1:1", SUPABASE_SECRET_KEY: "sb_secret_x" };

Deno.test("help shows the options, the handlers and examples", async () => {
  const { code, out } = await ended(start(["--help"]));
  assert.equal(code, 0);
  for (
    const part of [
      "--until-empty",
      "--work-type",
      "--source",
      "generate_care_plan",
      "npm run worker -- --types",
    ]
  ) {
    assert.ok(out.includes(part), part);
  }
});

const misuses: [string, string[], Record<string, string>, RegExp][] = [
  ["no environment", [], {}, /SUPABASE_URL is missing.*--help/],
  ["no key", [], { SUPABASE_URL: "http://127.0.0.1:1" }, /SUPABASE_SECRET_KEY is missing/],
  ["an unknown task type", ["--types", "nope"], SOMEWHERE, /known: generate_care_plan/],
  ["an unknown work type", ["--work-type", "nope"], SOMEWHERE, /known: enrichment/],
  ["an unknown source", ["--source", "nope"], SOMEWHERE, /source: .*known: none/],
  ["a source and types", ["--types", "a", "--source", "b"], SOMEWHERE, /either/],
  ["both surfaces", ["--types", "a", "--work-type", "b"], SOMEWHERE, /either/],
  ["no concurrency", ["--concurrency", "0"], SOMEWHERE, /from 1 to 1000/],
  ["an unknown option", ["--forever"], SOMEWHERE, /unknown option/],
];
for (const [what, args, env, message] of misuses) {
  Deno.test(`${what} ends it at once with 2 and says what is wrong`, async () => {
    const { code, out, err } = await ended(start(args, env));
    assert.deepEqual([code, out], [2, ""]);
    assert.match(err, message);
  });
}

Deno.test("a worker process works on any project it is given the address and key of", async (t) => {
  await using stack = await testStack({ standIns: false });
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await using _closed = { [Symbol.asyncDispose]: () => sql.end() };
  const env = {
    SUPABASE_URL: stack.url,
    SUPABASE_SECRET_KEY: stack.secretKey,
    DIBS_MAIL_URL: stack.mailUrl,
  };

  await t.step("until empty it does all there is and prints one line of JSON", async () => {
    await sql`insert into thoughts (content) select 'thought ' || n from generate_series(1, 200) n`;
    const args = ["--work-type", "enrichment", "--until-empty", "--json", "--worker-id", "mine"];
    const { code, out } = await ended(start(args, env));
    assert.equal(code, 0);
    assert.equal(out.trim().split("\n").length, 1);
    const { worker_id, ...summary } = JSON.parse(out);
    assert.equal(worker_id, "mine");
    assert.deepEqual([Summary.parse(summary).completed, summary.lost], [200, 0]);
  });

  await t.step(
    "told to end it finishes what it runs, hands the rest back and holds nothing",
    async () => {
      const worker = start(["--json"], env);
      const end = ended(worker);
      const carePlan = (n: number) => ({
        type: "generate_care_plan",
        payload: {
          email: `p${n}@example.org`,
          transcript: "I am tired.",
          session_id: "s",
          blueprint_id: "b",
          host_url: "https://x.org",
        },
      });
      await post(stack, "enqueue", { tasks: Array.from({ length: 500 }, (_, n) => carePlan(n)) });
      await eventually(
        "some work done",
        async () => (await (await fetch(stack.mailUrl)).json()).sent > 5,
      );
      worker.kill("SIGTERM");
      const { code, out } = await end;
      assert.equal(code, 0);
      const summary = JSON.parse(out);
      assert.equal(summary.truncated_reason, "stopped");
      assert.deepEqual([summary.lost, summary.claimed], [0, summary.completed + summary.released]);
      const [{ held }] =
        await sql`select count(*)::int as held from tasks where status = 'processing'`;
      assert.equal(held, 0);
      const { sent, recipients } = await (await fetch(stack.mailUrl)).json();
      assert.deepEqual([sent, recipients], [summary.completed, summary.completed]);
    },
  );

  await t.step("a wrong key ends it with 1 and says so", async () => {
    const { code, err } = await ended(
      start([], { ...env, SUPABASE_SECRET_KEY: "sb_secret_wrong" }),
    );
    assert.equal(code, 1);
    assert.match(err, /keys/);
  });
});
