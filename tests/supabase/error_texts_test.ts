// On PostgreSQL 15, too.
// An error is read by people who should not read payloads: no part of one may quote what work is about.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase } from "../support/database.ts";

const CANARY = "canary-7c1d";
const UNKNOWN = "00000000-0000-4000-8000-000000000001";
const SECRET = JSON.stringify({ secret: CANARY });

/** Each is wrong in one part, and carries a secret in another. */
const WRONG = [
  ...["null", "''", "repeat('t', 101)", "E'a\\tb'"].map((type) =>
    `select public.create_task(${type}, '${SECRET}')`
  ),
  `select public.create_task('t', '${SECRET}', 99999)`,
  `select public.create_task('t', '${SECRET}', null)`,
  `select public.create_task('t', '${SECRET}', p_max_attempts => 0)`,
  `select public.create_task('t', '${SECRET}', p_unique_key => '')`,
  ...[
    { type: "" },
    { type: 5 },
    { type: "t", priority: 1e9 },
    { type: "t", priority: CANARY },
    { type: "t", run_at: `yesterday ${CANARY}` },
    { type: "t", max_attempts: 0 },
    { type: "t", unique_key: 5 },
    { type: "t", extra: CANARY },
  ].map((task) =>
    `select public.enqueue_tasks('${JSON.stringify([{ payload: { CANARY }, ...task }])}')`
  ),
  `select public.enqueue_tasks('${SECRET}')`,
  `select public.enqueue_tasks('["${CANARY}"]')`,
  `select public.enqueue_tasks('[{"type": "t", "payload": ${SECRET}}]', repeat('r', 201))`,
  ...[
    { status: "done" },
    { id: CANARY },
    { status: CANARY },
    { error: { CANARY } },
    { metadata: CANARY },
    { permanent: CANARY },
    { id: null },
  ].map((outcome) => {
    const whole = { id: UNKNOWN, status: "succeeded", result: { CANARY }, ...outcome };
    return `select public.settle_lease('FENCE', '${JSON.stringify([whole])}')`;
  }),
  `select public.settle_lease('FENCE', '[{"id": "TASK", "status": "succeeded", "result": ${SECRET}}]', 'x')`,
  `select public.settle_lease('x', '[{"id": "TASK", "status": "succeeded", "result": ${SECRET}}]')`,
  `select public.settle_and_claim_tasks('FENCE', '[{"id": "TASK", "status": "succeeded", "result": ${SECRET}}]',
    null, '', null, 1)`,
  `select public.renew_lease('FENCE', 0, '{"TASK": ${SECRET}}')`,
  `select public.renew_lease('FENCE', 60, '[${SECRET}]')`,
  `select public.effect_begin('FENCE', 'TASK', 'key', '${CANARY}')`,
  `select public.settle_effect('TASK', 'key', true, '${SECRET}')`,
  `select public.complete_with_result('x', 'TASK', '${SECRET}')`,
  `insert into public.tasks (payload) values ('${SECRET}')`,
  `insert into public.tasks (type, payload, priority) values ('t', '${SECRET}', 32767), ('', '${SECRET}', 1)`,
  `insert into public.tasks (type, payload, status) values ('t', '${SECRET}', 'failed')`,
  `insert into public.tasks (type, payload, result) values ('t', '{}', '${SECRET}')`,
  `update public.tasks set payload = '[${SECRET}]' where id = 'TASK'`,
  `update public.tasks set status = 'done', error = '${CANARY}' where id = 'TASK'`,
  `update public.tasks set result = '${SECRET}' where id = 'TASK'`,
  `update public.tasks set status = null where payload ->> 'secret' = '${CANARY}'`,
  `select public.release_thought('${UNKNOWN}', 't', 'w', 'done', '${CANARY}')`,
];

Deno.test("no error quotes a payload, a result, a progress or an error that somebody reported", async () => {
  await using db = await freshDatabase();
  const service = db.as("service_role");
  await service`select public.create_task('t', ${service.json({ secret: CANARY })})`;
  const [{ id, fence }] = await service`select * from public.claim_tasks('w')`;
  // What PostgreSQL itself says of a value that does not fit does quote it.
  const quoting =
    `insert into public.thought_work_claims (thought_id, work_type, worker_id, last_error)
    values ('${UNKNOWN}', 't', 'w', '${CANARY}')`;
  assert(JSON.stringify(await errorOf(service, quoting)).includes(CANARY));

  const accepted = [];
  const quoted = [];
  for (const template of WRONG) {
    const statement = template.replaceAll("FENCE", fence).replaceAll("TASK", id);
    const error = await errorOf(service, statement);
    if (!error) accepted.push(statement);
    else if (JSON.stringify(error).includes(CANARY)) quoted.push([statement, error]);
  }
  assert.deepEqual({ accepted, quoted }, { accepted: [], quoted: [] });
});

/** All that a client or a log gets to see of it. */
async function errorOf(sql: Sql, statement: string): Promise<Record<string, string> | undefined> {
  try {
    await sql.unsafe(statement);
  } catch (error) {
    const { message, detail, hint, where, internal_query, code } = error as Record<string, string>;
    return { message, detail, hint, where, internal_query, code };
  }
}
