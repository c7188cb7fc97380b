// The command line as people and programs meet it; what each command prints: cli/transcript.txt.
import assert from "node:assert/strict";
import postgres, { type Sql } from "postgres";
import stringWidth from "string-width";
import { dibsShell } from "../support/dibs.ts";
import { sharedStack, testStack } from "../support/stack.ts";

const { url, secretKey, databaseUrl } = sharedStack();
const HERE = { SUPABASE_URL: url, SUPABASE_SECRET_KEY: secretKey };
const ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

Deno.test("a task that failed three times is found, understood and redriven in three commands", async () => {
  await using sql = connection();
  await using dibs = await dibsShell(HERE);
  const type = newType();
  await sql.query`select create_task(${type}, '{"to": "ada"}', p_max_attempts => 3)`;
  for (const error of ["no route", "HTTP 502", "HTTP 503"]) await failOnce(sql.query, type, error);

  const listed = await dibs.run(`dibs tasks list --type ${type} --status failed`);
  assert.match(listed.out, /failed .* 3\/3 .* HTTP 503/);
  const [id] = listed.out.match(ID)!;

  const shown = await dibs.run(`dibs tasks show ${id}`);
  for (const error of ["no route", "HTTP 502", "HTTP 503"]) {
    assert.match(shown.out, new RegExp(`failed +\\d +worker-1 +.*${error}`), shown.out);
  }
  assert.match(shown.out, /\{"to":"ada"\}/);

  const redriven = await dibs.run(`dibs tasks redrive ${id} --yes`);
  assert.deepEqual([redriven.code, redriven.out], [0, "1 task redriven.\n"]);
  const [task] = await sql
    .query`select id, attempts from tasks where status = 'pending' and type = ${type}`;
  assert.deepEqual({ ...task }, { id, attempts: 0 });
});

Deno.test("whatever users wrote, a terminal gets lines that fit it, and nothing that acts on it", async (t) => {
  await using sql = connection();
  await using dibs = await dibsShell(HERE);
  const type = newType();
  await sql
    .query`select enqueue_tasks((select jsonb_agg(jsonb_build_object('type', ${type}::text, 'max_attempts', 1,
    'key', 'k' || n, 'payload', jsonb_build_object('text', text))) from unnest(${NASTY}::text[]) with ordinality x(text, n)))`;
  await sql.query`select settle_lease(
    (select distinct fence from claim_tasks('ｗｏｒｋｅｒ 😀', array[${type}::text], 100)),
    (select jsonb_agg(jsonb_build_object('id', id, 'status', 'failed', 'error', payload ->> 'text'))
      from tasks where type = ${type}))`;

  for (const width of [60, 80, 132]) {
    await t.step(`${width} columns`, async () => {
      const { out, code } = await dibs.run(`dibs tasks list --type ${type}`, {
        COLUMNS: `${width}`,
      });
      assert.equal(code, 0);
      const lines = out.trimEnd().split("\n");
      assert.equal(lines.length, NASTY.length + 1);
      assert.deepEqual(lines.filter((line) => stringWidth(line) > width), []);
      assertHarmless(out);
    });
  }
  await t.step("one task, and JSON that says the same", async () => {
    const { out } = await dibs.run(`dibs tasks list --type ${type} --ndjson`);
    assertHarmless(out);
    const rows = out.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(rows.map(({ error }) => error).reverse(), NASTY);
    assertHarmless((await dibs.run(`dibs tasks show ${rows[0].id}`)).out);
  });
});

Deno.test("who stops reading ends it quietly, and all pages come where they are asked for", async () => {
  await using sql = connection();
  await using dibs = await dibsShell(HERE);
  const type = newType();
  await sql
    .query`insert into tasks (type, run_at) select ${type}, now() + interval '1 year' from generate_series(1, 3500)`;
  const cut = await dibs.run(
    `set -o pipefail; dibs tasks list --type ${type} --all --ndjson | head -1 | jq -r .type`,
  );
  assert.deepEqual(cut, { code: 0, out: `${type}\n`, err: "" });
  const all = await dibs.run(
    `dibs tasks list --type ${type} --all --ndjson | jq -r .id | sort -u | wc -l`,
  );
  assert.equal(all.out.trim(), "3500");
  const many = await dibs.run(`dibs tasks cancel --type ${type} --yes --json | jq .tasks`);
  assert.equal(many.out.trim(), "3500");
});

Deno.test("colours are for terminals; NO_COLOR and FORCE_COLOR are obeyed", async () => {
  await using dibs = await dibsShell(HERE);
  const isColoured = async (env: Record<string, string>) =>
    (await dibs.run("dibs status", env)).out.includes("\x1b[");
  assert.equal(await isColoured({}), false);
  assert.equal(await isColoured({ FORCE_COLOR: "1" }), true);
  assert.equal(await isColoured({ FORCE_COLOR: "0" }), false);
  assert.equal(await isColoured({ FORCE_COLOR: "1", NO_COLOR: "1" }), false);
});

Deno.test("it finds the local stack, and says so; a hosted key is not sent there", async (t) => {
  await using stack = await testStack({ standIns: false });
  await using dibs = await dibsShell();
  const state = `--state ${stack.stateDir}`;

  await t.step("without anything given, whatever key the environment has", async () => {
    const { code, err } = await dibs.run(`dibs status ${state}`, {
      SUPABASE_SECRET_KEY: "sb_secret_of_another_project",
    });
    assert.deepEqual([code, err], [0, `Talking to the local stack at ${stack.url}\n`]);
  });
  await t.step("by its address, without a key", async () => {
    const { code, err } = await dibs.run(`dibs status ${state} --url ${stack.url}/`);
    assert.deepEqual([code, err], [0, `Talking to the local stack at ${stack.url}\n`]);
  });
  await t.step("open shows its dashboard", async () => {
    const { code, out } = await dibs.run(`dibs open ${state}`);
    assert.deepEqual([code, out], [0, `${stack.url}/dashboard\n`]);
    const none = await dibs.run(`dibs open ${state}`, { BROWSER: "no-such-browser" });
    assert.deepEqual([none.code, none.out], [0, `${stack.url}/dashboard\n`]);
    assert.match(none.err, /no-such-browser/);
  });
  await t.step("no stack: it says what to do, with 4", async () => {
    const { code, out, err } = await dibs.run(`dibs status --state ${stack.stateDir}/none`);
    assert.deepEqual([code, out], [4, ""]);
    assert.match(err, /No stack runs in .*\n.*npm start.*SUPABASE_SECRET_KEY/);
  });
});

Deno.test("every command has help with examples and the exit codes, and takes no key", async () => {
  await using dibs = await dibsShell();
  const leaves = [
    ...[
      "status",
      "top",
      "enqueue",
      "worker",
      "gates",
      "dispatches",
      "doctor",
      "open",
      "completion",
    ],
    ...["list", "show", "explain", "retry", "cancel", "redrive"].map((name) => `tasks ${name}`),
    ...["list", "show", "explain", "release"].map((name) => `claims ${name}`),
    ...["list", "run", "pause", "resume"].map((name) => `schedules ${name}`),
    ...["pause tasks", "pause claims", "resume tasks", "resume claims"],
  ];
  for (const leaf of leaves) {
    const { code, out, err } = await dibs.run(`dibs ${leaf} --help`);
    assert.deepEqual([code, err], [0, ""], leaf);
    assert.match(out, new RegExp(`Examples:\n(.*\n)*?  .*dibs ${leaf}`), leaf);
    assert.match(out, /Exit codes: 0 done; 1 failed/, leaf);
    assert.doesNotMatch(out, /--(secret-)?key <(?!key>)/, leaf);
  }
});

/** What has been seen to break terminals, tables and those who read them. */
const NASTY = [
  "\x1b[2J\x1b[31mred\x1b]0;title\x07",
  "\x9b31mC1\x90q\x9c",
  "line\nbreak\r\nand\ttab\u2028\u2029",
  "\u202egnp.exe\u202c \u2066isolated\u2069 \ufeff\u200bzero",
  "全角文字 👩‍👩‍👧‍👦 é ﷽ 🏳️‍🌈".repeat(8),
  "x".repeat(4000),
  "$(touch /tmp/owned) `id` %s %n \\x1b[31m | column",
  "\x08\x08\x08\x7f back",
  "<script>alert(1)</script>",
];

function assertHarmless(text: string): void {
  assert.doesNotMatch(text, /[^\P{Cc}\n]|\p{Zl}|\p{Zp}|[^\P{Cf}\u200d]/u);
}

function newType(): string {
  return `cli-${crypto.randomUUID().slice(0, 8)}`;
}

function connection(): { query: Sql } & AsyncDisposable {
  const query = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  return { query, [Symbol.asyncDispose]: () => query.end() };
}

async function failOnce(sql: Sql, type: string, error: string): Promise<void> {
  await sql`update tasks set run_at = now() where type = ${type} and status = 'pending'`;
  const [{ id, fence }] =
    await sql`select id, fence from claim_tasks('worker-1', array[${type}::text])`;
  await sql`select settle_lease(${fence}, jsonb_build_array(
    jsonb_build_object('id', ${id}::text, 'status', 'failed', 'error', ${error}::text)))`;
}
