// longer than 300 lines because every fault stands here beside what finds it
// What goes wrong with a project, planted into a stack at work.
import type { Sql } from "postgres";
import type { Stack } from "../../../scripts/stack/stack.ts";
import type { TestClock } from "../../support/clock.ts";
import { parkEffect } from "../../support/parked_effect.ts";

/** A stack to make ill. */
export interface Patient {
  stack: Stack;
  /** As role `postgres`. */
  sql: Sql;
  /** As the superuser. */
  admin: Sql;
  /** From the first call on the clock of Dibs can jump. */
  clock(): Promise<TestClock>;
  /** A connection of its own, for a transaction that stays open. */
  connect(): Promise<Sql>;
}

export interface Fault {
  what: string;
  plant(patient: Patient): Promise<unknown>;
  /** Found and mended one after the other: all of a line at once, and nothing else. */
  finds: string[][];
  /** What a person writes in the place of `<…>`. */
  fill?(patient: Patient): string;
  /** The part of a mend by hand that can be run. */
  byHand?: RegExp;
  /** What is in the way of the next fault. */
  tidy?(patient: Patient): Promise<unknown>;
}

const STOP_TICKING = "update cron.job set active = false where jobname = 'dibs-tick'";
const LONG_AGO = "now() - interval '10 minutes'";

/** Those that are mended by applying the migrations come first: with the rest, the clock is replaced. */
export const FAULTS: Fault[] = [
  {
    what: "a database of an older version",
    plant: ({ sql }) =>
      sql.unsafe(`
        create or replace function dibs.version() returns text
        language sql immutable set search_path = '' as $$ select '0.0.9' $$`),
    finds: [["database_version"]],
  },
  {
    what: "a function that somebody dropped, so that every tick fails",
    plant: ({ sql }) => sql`drop function dibs.tick()`,
    finds: [["migrations", "tick_runs"]],
  },
  {
    what: "a claim source whose table was renamed, and one whose table is gone",
    plant: ({ sql }) =>
      sql.unsafe(`
        create table public.old_name (id int primary key);
        create table public.short_lived (id int primary key);
        select dibs.create_claim_source('first', 'public.old_name'),
          dibs.create_claim_source('second', 'public.short_lived');
        alter table public.old_name rename to new_name;
        drop table public.short_lived cascade`),
    finds: [["sources"], ["sources"]],
    tidy: ({ sql }) =>
      sql.unsafe("select dibs.drop_claim_source('first'); drop table public.new_name"),
  },
  {
    what: "no schedule",
    plant: ({ sql }) => sql`select dibs.unschedule()`,
    finds: [["tick_scheduled", "prune_scheduled"]],
  },
  {
    what: "a tick that was paused",
    plant: ({ admin }) => admin.unsafe(STOP_TICKING),
    finds: [["tick_scheduled"]],
  },
  {
    what: "a schedule other than the settings'",
    plant: ({ admin }) =>
      admin`update cron.job set schedule = '30 seconds' where jobname = 'dibs-tick'`,
    finds: [["tick_scheduled"]],
  },
  {
    what: "a tick that does something else",
    plant: ({ admin }) =>
      admin`update cron.job set command = 'select 1' where jobname = 'dibs-tick'`,
    finds: [["tick_scheduled"]],
  },
  {
    what: "a history of pg_cron that nobody prunes",
    plant: ({ sql }) => sql`select cron.unschedule('dibs-prune')`,
    finds: [["prune_scheduled"]],
  },
  {
    what: "no address in the Vault",
    plant: ({ sql }) => sql`delete from vault.secrets where name = 'dibs_project_url'`,
    finds: [["vault_url"]],
  },
  {
    what: "a copy of a hosted project that still has its address",
    plant: keepInVault("dibs_project_url", () => "https://abcdefghijklmnopqrst.supabase.co"),
    finds: [["vault_url"]],
  },
  {
    what: "an address with a path",
    plant: keepInVault("dibs_project_url", ({ stack }) => `${stack.url}/`),
    finds: [["vault_url"]],
  },
  {
    what: "no dispatch secret in the Vault",
    plant: ({ sql }) => sql`delete from vault.secrets where name = 'dibs_dispatch_secret'`,
    finds: [["vault_secret"], ["dispatch_secret"]],
    fill: ({ stack }) => stack.dispatchSecret,
  },
  {
    what: "another dispatch secret than the functions have",
    plant: keepInVault("dibs_dispatch_secret", () => "not what it was"),
    finds: [["dispatch_secret"]],
    fill: ({ stack }) => stack.dispatchSecret,
  },
  {
    what: "calls to dispatch that failed one after the other",
    plant: ({ sql }) =>
      sql`
        insert into dibs.dispatch (reason, state, made_at, problem)
        select 'tick', 'refused', dibs.clock(), 'dispatch answered 401' from generate_series(1, 6)`,
    finds: [["dispatch_calls", "dispatch_rests"]],
  },
  {
    what: "the calls of the month used up",
    plant: ({ sql }) => sql`select dibs.configure('max_invocations_per_month', '1')`,
    finds: [["invocations"]],
    tidy: ({ sql }) => sql`select dibs.configure('max_invocations_per_month', null)`,
  },
  {
    what: "leases of dead workers that nobody takes back",
    plant: async ({ sql, admin }) => {
      await admin.unsafe(STOP_TICKING);
      await sql.unsafe(`
        select create_task('once_held');
        select claim_tasks('dead', '{once_held}');
        update dibs.lease set started_at = now() - interval '1 hour', expires_at = ${LONG_AGO} where worker_id = 'dead'`);
    },
    finds: [["tick_scheduled", "expired_leases"]],
    tidy: cancel("once_held"),
  },
  {
    what: "due tasks that nobody is sent to",
    plant: async (patient) => {
      await patient.admin.unsafe(STOP_TICKING);
      await makeDue(patient, "generate_care_plan", CARE_PLAN);
    },
    finds: [["tick_scheduled", "work_waits"]],
  },
  {
    what: "tasks that nobody has a handler for",
    plant: async (patient) => {
      const { url, secretKey } = patient.stack;
      const headers = { apikey: secretKey, "content-type": "application/json" };
      const asked = { method: "POST", headers, body: "{}" };
      await (await fetch(`${url}/functions/v1/dispatch`, asked)).body?.cancel();
      await makeDue(patient, "nobody_does_this");
    },
    finds: [["no_handler"]],
    byHand: /select .*;$/,
  },
  {
    what: "a key and a type that somebody paused and forgot, while tasks wait",
    plant: ({ sql }) =>
      sql.unsafe(`
        select create_task('stopped', p_options => '{"key": "o''clock"}'), create_task('halted');
        select pause_tasks('stopped', 'o''clock'), pause_tasks('halted'), pause_tasks('idle');
        update dibs.gate set paused_at = now() - interval '2 hours' where paused_at is not null`),
    finds: [["paused_work"], ["paused_work"]],
    tidy: ({ sql }) =>
      sql.unsafe(`
        select cancel_tasks(array(select id from tasks where type in ('stopped', 'halted'))), resume_tasks('idle')`),
  },
  {
    what: "all work paused and forgotten, so that nobody is sent to it, nor should be",
    plant: async (patient) => {
      await makeDue(patient, "nobody_does_this");
      await patient.sql.unsafe(`
        select pause_tasks();
        update dibs.gate set paused_at = now() - interval '2 hours' where paused_at is not null`);
    },
    finds: [["paused_work"], ["no_handler"]],
    byHand: /select .*;$/,
  },
  {
    what: "an effect of which nobody knows whether it happened",
    plant: ({ sql }) => parkEffect(sql, { type: "pay", error: "cut off" }),
    finds: [["parked_effects"]],
    fill: () => "false",
    tidy: cancel("pay"),
  },
  {
    what: "a recurring schedule whose task cannot be made",
    plant: ({ sql }) =>
      sql.unsafe(`
        select put_schedule('broken', '@yearly', 'broken');
        update dibs.recurring_schedule
          set options = '{"priority": "high"}', next_tick = ${LONG_AGO}, problem = 'no number' where name = 'broken'`),
    finds: [["schedules_run"]],
    byHand: /select .*;$/,
  },
  {
    what: "ended tasks that nobody deletes, though their time is over",
    plant: ({ sql }) =>
      sql.unsafe(`
        select create_task('kept_too_long');
        update tasks set status = 'completed', completed_at = now() - interval '10 days' where type = 'kept_too_long';
        select dibs.configure('keep_ended_tasks', '9 days')`),
    finds: [["retention"]],
    tidy: ({ sql }) => sql`select dibs.configure('keep_ended_tasks', null)`,
  },
  {
    what: "very many ended tasks, which are kept for ever",
    plant: ({ admin }) =>
      admin`update pg_class set reltuples = 2e7 where oid = 'dibs.log'::regclass`,
    finds: [["retention"]],
    tidy: ({ sql }) =>
      sql.unsafe("analyze dibs.log; select dibs.configure('keep_ended_tasks', null)"),
  },
  {
    what: "a drain that claims more than it is started for",
    plant: ({ sql }) => sql`select dibs.configure('drain_batch', '500')`,
    finds: [["settings"]],
  },
  {
    what: "a wake that comes after the tick",
    plant: ({ sql }) => sql`select dibs.configure('wake_debounce', '1 hour')`,
    finds: [["settings"]],
  },
  {
    what: "one entry of the Vault for two things",
    plant: ({ sql }) => sql`select dibs.configure('url_secret', 'dibs_dispatch_secret')`,
    finds: [["settings"]],
  },
  {
    what: "a table that the API's users may read",
    plant: ({ sql }) => sql`grant select on dibs.log to anon`,
    finds: [["grants"]],
  },
  {
    what: "a function that everybody may call, as after drop and create",
    plant: ({ sql }) => sql`grant execute on function public.claim_task() to public`,
    finds: [["grants"]],
  },
  {
    what: "a table and a view without row level security",
    plant: ({ sql }) =>
      sql.unsafe(`
        alter table dibs.lease disable row level security;
        alter view public.tasks set (security_invoker = false)`),
    finds: [["row_security"]],
  },
  {
    what: "a function that runs as its owner",
    plant: ({ sql }) => sql`alter function public.claim_task() security definer`,
    finds: [["security_definer"]],
  },
  {
    what: "a transaction that was left open",
    plant: async (patient) => {
      const held = await patient.connect();
      await held.unsafe(
        "begin isolation level repeatable read; select count(*) from public.thoughts",
      );
      await (await patient.clock()).advance("10 minutes");
    },
    finds: [["old_transactions"]],
    tidy: async (patient) => await (await patient.clock()).advance("-10 minutes"),
  },
  {
    what: "a prepared transaction that was forgotten",
    plant: async (patient) => {
      const held = await patient.connect();
      await held.unsafe(
        "begin; insert into public.thoughts (content) values ('half'); prepare transaction 'forgot''ten'",
      );
      await (await patient.clock()).advance("10 minutes");
    },
    finds: [["prepared_transactions"]],
    tidy: async (patient) => await (await patient.clock()).advance("-10 minutes"),
  },
  {
    what: "a replication slot that nobody reads from",
    plant: ({ sql }) => sql`select pg_create_logical_replication_slot('left_behind', 'pgoutput')`,
    finds: [["replication_slots"]],
  },
  {
    what: "a table that autovacuum leaves out, full of dead rows",
    plant: ({ sql }) =>
      sql.unsafe(`
        alter table dibs.hint set (autovacuum_enabled = false);
        insert into dibs.hint
          select 'dead', 0, now(), now(), 0, now(), 0, 1, now(), now() from generate_series(1, 60000);
        delete from dibs.hint where type = 'dead'`),
    finds: [["dead_rows", "autovacuum"]],
  },
];

const CARE_PLAN = {
  email: "ada@example.org",
  transcript: "I am tired.",
  session_id: "s",
  blueprint_id: "b",
  host_url: "https://example.org",
};

/** A task that has been due for ten minutes, of which no enqueueing woke anybody. */
async function makeDue({ sql }: Patient, type: string, payload = {}): Promise<void> {
  await sql`select create_task(${type}, ${
    sql.json(payload)
  }, p_run_at => now() + interval '1 day')`;
  await sql.unsafe(`update dibs.ready set run_at = ${LONG_AGO} where type = '${type}'`);
}

function keepInVault(name: string, secret: (patient: Patient) => string) {
  return (patient: Patient) =>
    patient.sql`
      select vault.update_secret(id, ${secret(patient)}) from vault.secrets where name = ${name}`;
}

function cancel(type: string) {
  return ({ sql }: Patient) =>
    sql`select cancel_tasks(array(select id from public.tasks where type = ${type}))`;
}
