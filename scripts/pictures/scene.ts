import type { Sql } from "postgres";
import { makeHistory } from "./history.ts";

/** A project as it might be on a busy morning, for pictures; every call is one that anybody may make. */
export async function setScene(sql: Sql): Promise<{ failed: string }> {
  await setGates(sql);
  await makeHistory(sql, () => setSchedules(sql));
  await tidyDispatches(sql);
  await claimRows(sql);
  const failed = await failThreeTimes(sql);
  await parkEffect(sql);
  await leaveInFlight(sql);
  return { failed };
}

async function setGates(sql: Sql): Promise<void> {
  await sql`select set_task_limit('transcribe_call', 12)`;
  await sql`select set_task_limit('sync_calendar', 2, p_each_key => true)`;
  await sql`select set_task_rate('render_invoice', 600, '1 minute', 100)`;
  await sql`select set_task_rate('sync_calendar', 30, '1 minute', p_key => 'acme')`;
  await sql`select pause_tasks('index_document')`;
  await sql`select set_claim_limit('thoughts', 'enrichment', 64)`;
  await sql`select dibs.configure('max_invocations_per_month', '500000')`;
}

async function setSchedules(sql: Sql): Promise<void> {
  const schedules = [
    ["nightly-report", "30 2 * * *", "render_report", "Europe/Berlin"],
    ["sync-calendars", "*/15 * * * *", "sync_calendar", "UTC"],
    ["monday-digest", "0 8 * * 1", "send_digest", "America/New_York"],
    ["clean-uploads", "0 */6 * * *", "clean_uploads", "UTC"],
  ];
  for (const [name, cron, type, zone] of schedules) {
    await sql`select put_schedule(${name}, ${cron}, ${type}, p_time_zone => ${zone})`;
  }
  await sql`select pause_schedule('monday-digest')`;
}

/** What was called by a clock set back has no answer in its time. */
async function tidyDispatches(sql: Sql): Promise<void> {
  await sql`
    update dibs.dispatch set state = 'answered', problem = null, drains = 1 + id % 3,
      planned_at = made_at + (id % 7) * interval '90 ms' + interval '180 ms'
    where id % 9 <> 4`;
  await sql`
    update dibs.dispatch set state = 'timed_out', drains = null, planned_at = null, problem = 'no answer within 5 s'
    where id % 9 = 4`;
}

/** Some thousand thoughts and documents, part of them done, a few failed for good. */
async function claimRows(sql: Sql): Promise<void> {
  await sql`insert into thoughts (content) select 'thought ' || n from generate_series(1, 4000) n`;
  await sql.unsafe(`
    create table if not exists public.documents (id bigint generated always as identity primary key, body text);
    alter table public.documents enable row level security;
    grant select, update on public.documents to service_role;
    insert into public.documents (body) select 'document ' || n from generate_series(1, 1200) n;
    select dibs.create_claim_source('documents', 'public.documents')`);
  for (let n = 0; n < 3; n++) {
    await sql`
      select settle_lease((select min(fence) from claim_next_thoughts(
        'enrichment', ${`enricher-${n + 1}`}, 900)), p_rest => 'succeeded')`;
  }
  await sql`
    select settle_lease((select min(fence) from claim_next_thoughts('embedding', 'embedder-1', 640)),
      p_rest => 'succeeded')`;
  const rows = await sql`
    select id, fence from claim_next_rows('documents', 'summary', 'summarizer-1', 700, p_max_attempts => 1)`;
  const outcomes = rows.slice(0, 9).map(({ id }, n) => ({
    id,
    status: "failed",
    error: n % 3
      ? "The model refused: content_filter"
      : "413 the document is longer than 128,000 tokens",
  }));
  await sql`select settle_rows(${rows[0].fence}, ${sql.json(outcomes)}, 'succeeded')`;
  await sql`select claim_next_rows('documents', 'summary', 'summarizer-1', 40, 300)`;
  await sql`select claim_next_thoughts('enrichment', 'enricher-2', 25, 120)`;
}

const ERRORS = [
  "TypeError: fetch failed: connect ETIMEDOUT 10.2.0.14:443\n    at callMailer (handlers/send_contract.ts:41:9)",
  "HTTP 503 Service Unavailable from https://api.mailer.example/v1/messages",
  "HTTP 422: recipient “ada@exmaple.com” is not deliverable (domain has no MX record)",
];

/** The task that somebody comes to look for. */
async function failThreeTimes(sql: Sql): Promise<string> {
  const payload = {
    contract: "C-20417",
    recipient: { name: "Ada Lovelace", email: "ada@exmaple.com" },
    template: "contract_signed_v3",
    attachments: ["contracts/C-20417.pdf"],
  };
  const [{ id }] = await sql`
    select create_task('send_contract', ${
    sql.json(payload)
  }, p_max_attempts => 3, p_priority => -100) as id`;
  for (const [n, error] of ERRORS.entries()) {
    const [{ fence }] = await sql`select fence from claim_tasks(${`mailer-${
      n % 2 + 1
    }`}, '{send_contract}')`;
    await sql`
      select settle_lease(${fence}, ${sql.json([{ id, status: "failed", error }])})`;
    await sql`update tasks set run_at = now() where id = ${id} and status = 'pending'`;
  }
  return id;
}

/** Of which nobody knows whether it happened, for its worker was killed in between. */
async function parkEffect(sql: Sql): Promise<void> {
  for (const order of ["7731", "7745"]) {
    const payload = { order, cents: 4_900 };
    await sql`select create_task('charge_card', ${sql.json(payload)}, p_max_attempts => 1)`;
    const [{ id, fence }] =
      await sql`select id, fence from claim_tasks('billing-1', '{charge_card}')`;
    await sql`select effect_begin(${fence}, ${id}, 'charge')`;
    const error = "charge is parked: an earlier attempt was cut off in between";
    await sql`
      select settle_lease(${fence}, ${
      sql.json([{ id, status: "failed", error, permanent: true }])
    })`;
  }
}

/** Workers that hold something, one of which has not been heard of. */
async function leaveInFlight(sql: Sql): Promise<void> {
  const held = [
    ["worker-eu-1 · 4711 · k3f9", "transcribe_call", 4, 240],
    ["worker-eu-2 · 4740 · p0a2", "transcribe_call", 3, 175],
    ["worker-us-1 · 918 · zz41", "render_invoice", 20, 95],
    ["worker-us-2 · 922 · 8d1c", "render_invoice", 14, 45],
    ["cron-box · 77 · q7h0", "sync_calendar", 2, 12],
  ] as const;
  for (const [worker, type, limit, seconds] of held) {
    await sql`select claim_tasks(${worker}, ${[type]}, ${limit}, ${seconds})`;
  }
}
