// The whole life of Dibs in projects of different shapes, with the real CLI on real databases.
import assert from "node:assert/strict";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { migrate, PROJECT_DIR } from "../../scripts/stack/migrate.ts";
import { assertInvariants } from "../support/invariants.ts";
import { post } from "../support/endpoints.ts";
import { eventually } from "../support/eventually.ts";
import { byFormerId } from "../support/plain_tasks.ts";
import {
  add,
  assertDone,
  type Files,
  laterDibs,
  sampleProject,
  SAMPLES,
} from "../support/sample_projects.ts";
import { testStack } from "../support/stack.ts";

type Stack = Awaited<ReturnType<typeof testStack>>;

/** What of a project's own must be there at any time, while Dibs is there and afterwards. */
const OWN: Record<string, (sql: Sql, stack: Stack, isThere: boolean) => Promise<void>> = {
  "that is empty": () => Promise.resolve(),
  "with functions and migrations of its own": async (sql, stack) => {
    assert.deepEqual([...await sql`select id, note from public.orders order by id`], [
      { id: 1, note: null },
      { id: 2, note: null },
    ]);
    const response = await fetch(`${stack.url}/functions/v1/hello`);
    assert.deepEqual(await response.json(), { greeting: "hello" });
  },
  "with thoughts": async (sql, stack, isThere) => {
    assert.equal(
      (await sql`select mood from public.thoughts where content like 'thought %'`).length,
      20,
    );
    if (!isThere) return;
    const claim = { worker_id: "w", work_type: crypto.randomUUID(), limit: 20, lease_seconds: 60 };
    const { json } = await post(stack, "claim", claim);
    assert.equal(json.thoughts.length, 20);
    assert.equal(
      (await post(stack, "release", { fence: json.fence, rest: "succeeded" })).json.settled,
      20,
    );
  },
  "with a plain table of tasks": async (sql, _stack, isThere) => {
    assert.equal((await sql`select from public.tasks_before_dibs`).length, 250);
    if (!isThere) return;
    const carried = (await byFormerId(sql, "tasks")).filter(({ former }) => former !== null);
    assert.equal(carried.length, 250);
  },
};

for (const [what, files] of Object.entries(SAMPLES)) {
  Deno.test(`Dibs goes into a project ${what}, works there, is upgraded, and comes out again`, async () => {
    await using project = await sampleProject(files);
    if (what === "that is empty") await init(project.dir);
    const before = await project.files();
    await add(project);
    assertUntouched(await project.files(), before, { added: true });

    await using stack = await testStack({ projectDir: project.dir });
    const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
    await using _connection = { [Symbol.asyncDispose]: () => sql.end() };
    await OWN[what](sql, stack, true);
    await useDibs(stack, sql);

    await using later = await laterDibs();
    assertDone(await later.addTo(project));
    assertUntouched(await project.files(), before, { added: true });
    await migrate(stack.databaseUrl, project.dir);
    Deno.kill(stack.pids.functions, "SIGKILL"); // started again, it finds what is there by now
    await eventually("the later version", async () => {
      const headers = { apikey: stack.secretKey };
      const response = await fetch(`${stack.url}/functions/v1/status`, { headers }).catch(() =>
        null
      );
      const { version } = await response?.json().catch(() => null) ?? {};
      return version?.database === "99.0.0" && version.functions === "99.0.0";
    });
    await OWN[what](sql, stack, true);
    await useDibs(stack, sql);

    assertDone(await project.run("remove"));
    await migrate(stack.databaseUrl, project.dir);
    const [left] = await sql`
      select to_regnamespace('dibs') as dibs, to_regclass('public.tasks') as tasks,
        to_regclass('public.thoughts') as thoughts`;
    assert.deepEqual({ ...left }, { dibs: null, tasks: null, thoughts: "thoughts" });
    await OWN[what](sql, stack, false);
    assertUntouched(await project.files(), before, { added: false });
  });
}

/** What the CLI makes when somebody begins. */
async function init(dir: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(
    join(PROJECT_DIR, "node_modules/.bin/supabase"),
    {
      args: ["init", "--force"],
      cwd: dir,
      env: { SUPABASE_TELEMETRY_DISABLED: "1", SUPABASE_NO_UPDATE_NOTIFIER: "1" },
      stdin: "null",
    },
  ).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  assert.match(await Deno.readTextFile(join(dir, "supabase/config.toml")), /^\[db\.pooler\]$/m);
}

/** As a client does: a task is enqueued, claimed and settled, over HTTP. */
async function useDibs(stack: Stack, sql: Sql): Promise<void> {
  const type = crypto.randomUUID();
  const enqueued = await post(stack, "enqueue", { tasks: [{ type, payload: { n: 1 } }] });
  assert.equal(enqueued.status, 200, JSON.stringify(enqueued.json));
  const claimed = await post(stack, "claim", { worker_id: "w", types: [type], lease_seconds: 60 });
  assert.equal(claimed.json.tasks[0].id, enqueued.json.tasks[0].id);
  const { json } = await post(stack, "release", { fence: claimed.json.fence, rest: "succeeded" });
  assert.deepEqual(json, { settled: 1, lost: [] });
  const [{ status }] = await sql`select status from public.tasks where type = ${type}`;
  assert.equal(status, "completed");
  await assertInvariants(sql);
}

/** Their files are what they were; besides them there is only what is Dibs's. */
function assertUntouched(now: Files, before: Files, { added }: { added: boolean }): void {
  const isOurs = added
    ? /^supabase\/(dibs\/|dibs\.json$|migrations\/\d{14}_dibs_\w+\.sql$)/
    : /^supabase\/migrations\/\d{14}_dibs_\w+\.sql$/;
  const theirs = Object.fromEntries(Object.entries(now).filter(([path]) => !isOurs.test(path)));
  const config = "supabase/config.toml";
  if (added) {
    assert.ok(theirs[config].startsWith(before[config]));
    theirs[config] = before[config];
  }
  assert.deepEqual(theirs, before);
}
