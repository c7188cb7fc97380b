// Every command, against a stack, as tables, JSON and lines of JSON: transcript.txt says what is
// printed. DIBS_REWRITE_TRANSCRIPT=1 writes it anew; read the difference before you commit it.
import assert from "node:assert/strict";
import postgres, { type Sql } from "postgres";
import { VERSION } from "../../../functions/_shared/version.ts";
import { type Dibs, dibsShell } from "../../support/dibs.ts";
import { testStack } from "../../support/stack.ts";

const TRANSCRIPT = new URL("transcript.txt", import.meta.url);

Deno.test("every command prints what the transcript says, and ends with its exit code", async (t) => {
  await using stack = await testStack({ standIns: false });
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  await using _closed = { [Symbol.asyncDispose]: () => sql.end() };
  await using dibs = await dibsShell({
    SUPABASE_URL: stack.url,
    SUPABASE_SECRET_KEY: stack.secretKey,
    ...await furnish(sql),
  });
  const written: string[] = [];
  for (const { line, shown } of entriesOf(await Deno.readTextFile(TRANSCRIPT))) {
    await t.step(line, async () => {
      const printed = normal(await printedBy(dibs, line), stack.url);
      written.push(`$ ${line}\n${printed}`);
      if (!REWRITE) assert.equal(printed, shown);
    });
  }
  if (REWRITE) await Deno.writeTextFile(TRANSCRIPT, written.join("\n"));
});

const REWRITE = Boolean(Deno.env.get("DIBS_REWRITE_TRANSCRIPT"));

function entriesOf(transcript: string): { line: string; shown: string }[] {
  return transcript.split(/^\$ /m).slice(1).map((entry) => {
    const [line, ...shown] = entry.split("\n");
    return { line, shown: shown.join("\n").trimEnd() + "\n" };
  });
}

/** What goes to standard error begins with `! `. */
async function printedBy(dibs: Dibs, line: string): Promise<string> {
  const { code, out, err } = await dibs.run(line);
  return `${out}${err.replace(/^(?=.)/gm, "! ")}[${code}]\n`;
}

/** Without what differs from run to run, and with it how wide columns are. */
function normal(text: string, url: string): string {
  return text
    .replaceAll(url, "<url>")
    .replaceAll(VERSION, "<version>")
    .replace(/\b\d{16}-/g, "<microseconds>-")
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "<id>")
    .replace(/\b\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)/g, "<time>")
    .replace(/\b(\d+[smhd] ago|in \d+[smhd])\b/g, "<when>")
    .replace(/(\S) {2,}/g, "$1  ");
}

/** Some of everything, and names for the ids of it. */
async function furnish(sql: Sql): Promise<Record<string, string>> {
  await sql`insert into thoughts (content) values ('one'), ('two'), ('three'), ('four')`;
  await sql`select claim_next_thoughts('enrichment', 'worker-t', 1)`;
  await sql`select settle_lease(
    (select fence::text from claim_next_thoughts('enrichment', 'worker-t', 1, p_max_attempts => 1)),
    p_rest => 'failed')`;
  // So long ago that nothing is said of a pace.
  await sql`update thought_work_claims set finished_at = now() - interval '1 hour' where status = 'failed'`;
  await sql`select dibs.set_row_key('thoughts', $$metadata ->> 'tenant'$$)`;
  await sql`select put_schedule('nightly', '0 3 * * *', 'report')`;
  await sql`select set_task_limit('import', 5), set_claim_limit('thoughts', 'enrichment', 7)`;
  await sql`insert into dibs.dispatch (reason, state, made_at, problem, types, drains) values
    ('tick', 'answered', now() - interval '2 minutes', null, '{email}', 2),
    ('wake', 'refused', now() - interval '1 minute', 'HTTP 503', null, null)`;
  const enqueue = async (task: Record<string, unknown>) => {
    const [{ id }] = await sql`select id from enqueue_tasks(${sql.json([task] as never)})`;
    return id as string;
  };
  const FAILED = await enqueue({ type: "email", max_attempts: 1, payload: { to: "ada" } });
  await sql`select settle_lease(
    (select fence from claim_tasks('worker-1', '{email}')),
    jsonb_build_array(jsonb_build_object('id', ${FAILED}::text, 'status', 'failed', 'error', 'HTTP 503')))`;
  const RUNNING = await enqueue({ type: "import", key: "acme", payload: { page: 1 } });
  await sql`select claim_tasks('worker-2', '{import}', p_lease_seconds => 900)`;
  const PENDING = await enqueue({ type: "report", run_at: "2100-01-01T00:00:00Z" });
  const [{ id: THOUGHT }] = await sql`
    select thought_id as id from thought_work_claims where status = 'failed'`;
  return { FAILED, RUNNING, PENDING, THOUGHT, NOBODY: "00000000-0000-8000-8000-000000000000" };
}
