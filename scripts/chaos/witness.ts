import { retry } from "@std/async/retry";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import type { Stack } from "../stack/stack.ts";
import type { Entry, HistoryEvent } from "./evidence.ts";
import { findUnsound } from "./soundness.ts";
import { WORK_TYPE } from "./workload.ts";

/** Looks at the database from outside, through every restart of it. */
export interface Witness extends AsyncDisposable {
  sql: Sql;
  /** How many items have ended for good. */
  ended(): Promise<number>;
  testify(): Promise<Testimony>;
}

/** What the database has to say in the end. */
export interface Testimony {
  history: HistoryEvent[];
  entries: Entry[];
  maxLosses: number;
  unsound: string[];
  sqlstates: string[];
}

/** A minute, in which a server that was stopped is back. */
const REPEATS = { maxAttempts: 60, minTimeout: 250, maxTimeout: 1_000, jitter: 0 };
const COUNT_MS = 2_000;
const TESTIFY_MS = 60_000;
const STATE = "state=";

/** Puts the history's triggers in place, and has PostgreSQL log the kind of each error. */
export async function callWitness(stack: Stack): Promise<Witness> {
  const connection = { application_name: "chaos" };
  const sql = postgres(stack.databaseUrl, { max: 6, onnotice: () => {}, connection });
  const admin = postgres(stack.adminDatabaseUrl, { max: 1, onnotice: () => {}, connection });
  await sql.unsafe(await Deno.readTextFile(new URL("history.sql", import.meta.url)));
  await admin.unsafe(`alter system set log_line_prefix = '%m [%p] ${STATE}%e '`);
  await admin`select pg_reload_conf()`;
  await admin.end();
  const log = join(stack.stateDir, "postgres/postgres.log");
  return {
    sql,
    ended: () => retry(() => inTime(countEnded(sql), COUNT_MS), REPEATS),
    testify: () => retry(() => inTime(testify(sql, log), TESTIFY_MS), REPEATS),
    [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }),
  };
}

/** A query whose connection broke under it may never settle. */
async function inTime<T>(query: Promise<T>, ms: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("PostgreSQL did not answer")), ms);
  return await Promise.race([query, promise]).finally(() => clearTimeout(timer));
}

async function countEnded(sql: Sql): Promise<number> {
  const [{ ended }] = await sql`
    select (select coalesce(sum(upper(part) - lower(part)), 0) from dibs.outcome, unnest(run) part)::int
      + (select count(*) from public.thought_work_claims
        where work_type = ${WORK_TYPE} and (status = 'succeeded' or status = 'failed' and retry_at is null))::int as ended`;
  return ended;
}

async function testify(sql: Sql, log: string): Promise<Testimony> {
  const [{ maxLosses }] = await sql`select max_losses as "maxLosses" from dibs.settings`;
  return {
    history: await sql<HistoryEvent[]>`
      select n::float8, extract(epoch from at)::float8 * 1000 as at, event, item, fence::text,
        extract(epoch from expires_at)::float8 * 1000 as "expiresAt"
      from chaos.history order by n`,
    entries: await sql<Entry[]>`
      select t.payload ->> 'name' as item, t.status, l.max_attempts as "maxAttempts",
        t.payload ->> 'behaviour' as behaviour
      from public.tasks t join dibs.log l on l.id = t.id
      union all
      select t.id::text, case c.status
          when 'succeeded' then 'completed'
          when 'failed' then case when c.retry_at is null then 'failed' else 'waiting' end
          else coalesce(c.status, 'unclaimed') end,
        5, t.content
      from public.thoughts t
      left join public.thought_work_claims c on c.thought_id = t.id and c.work_type = ${WORK_TYPE}`,
    maxLosses,
    unsound: await findUnsound(sql),
    sqlstates: await readSqlstates(log),
  };
}

/** In the log, since the statistics do not outlive an immediate stop. */
async function readSqlstates(log: string): Promise<string[]> {
  const text = await Deno.readTextFile(log);
  const line = new RegExp(`${STATE}(\\w{5}) (?:ERROR|FATAL|PANIC):`, "g");
  return [...text.matchAll(line)].map(([, state]) => state);
}
