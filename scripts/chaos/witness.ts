import { retry } from "@std/async/retry";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import type { Stack } from "../stack/stack.ts";
import { connected, Connection, STATEMENT_MS } from "./connection.ts";
import { NOBODY } from "./contest.ts";
import type { Entry, HistoryEvent, Parked, Share } from "./evidence.ts";
import type { LoggedError } from "./invariants.ts";
import { findOutOfOrder, findOverLimits } from "./gates.ts";
import { findOpenDoors } from "./open_doors.ts";
import { findUnsound } from "./soundness.ts";
import { CANARY, WORK_TYPE } from "./workload.ts";

/** Looks at the database from outside, through every restart of it. */
export interface Witness {
  /** How many items have ended for good. */
  ended(): Promise<number>;
  /** Nothing is written any more: the rest can be read at leisure. */
  testify(): Promise<{
    maxLosses: number;
    unsound: string[];
    overLimits: string[];
    outOfOrder: string[];
    openDoors: string[];
    errors: LoggedError[];
    leaks: string[];
  }>;
  history(share: Share): AsyncIterable<HistoryEvent[]>;
  entries(share: Share): AsyncIterable<Entry[]>;
  /** The tasks whose effect was parked, and whether it still is: then a person must decide about it. */
  parked(): Promise<Parked[]>;
  /** The names of tasks by what they wrote into the database, each as often as it is there. */
  posted(): Promise<string[]>;
  leave(): Promise<void>;
}

/** A minute, in which a server that was stopped is back. */
const REPEATS = { maxAttempts: 60, minTimeout: 250, maxTimeout: 1_000, jitter: 0 };
const LOOK_MS = 5_000;
const ROWS = 10_000;
const STATE = "state=";
const LONGEST_ERROR = 2_000;

/** Puts the history's triggers in place, and has PostgreSQL log the kind of each error. */
export async function callWitness(stack: Stack): Promise<Witness> {
  const history = await Deno.readTextFile(new URL("history.sql", import.meta.url));
  await connected(stack.databaseUrl, (sql) => sql.unsafe(history), LOOK_MS);
  await connected(stack.adminDatabaseUrl, async (sql) => {
    await sql.unsafe(`alter system set log_line_prefix = '%m [%p] ${STATE}%e '`);
    await sql`select pg_reload_conf()`;
  }, LOOK_MS);
  const connection = new Connection(stack.databaseUrl, { name: "chaos" });
  const look = <T>(work: (sql: Sql) => PromiseLike<T>) =>
    retry(() => connection.run(work, AbortSignal.timeout(LOOK_MS)), REPEATS);
  const read = <T>(work: (sql: Sql) => PromiseLike<T>) =>
    retry(() => connection.run(work, new AbortController().signal), REPEATS);
  return {
    ended: () => look(countEnded),
    async testify() {
      const [{ maxLosses }] = await look((sql) =>
        sql`select max_losses as "maxLosses" from dibs.settings`
      );
      // A server that was killed has forgotten how large its tables are, and might plan accordingly.
      await read((sql) => sql`analyze`);
      return {
        maxLosses,
        unsound: await read(findUnsound),
        overLimits: await read(findOverLimits),
        outOfOrder: await read(findOutOfOrder),
        openDoors: await read(findOpenDoors),
        errors: await readErrors(stack.stateDir),
        leaks: await findLeaks(stack.stateDir),
      };
    },
    history: (share) => readHistory(stack.databaseUrl, share),
    entries: (share) => readEntries(stack.databaseUrl, share),
    parked: () => read(findParked),
    posted: () => read(findPosted),
    leave: () => connection.close(),
  };
}

async function countEnded(sql: Sql): Promise<number> {
  const [{ ended }] = await sql`
    select (select coalesce(sum(upper(part) - lower(part)), 0) from dibs.outcome, unnest(run) part)::int
      + (select count(*) from public.thought_work_claims
        where work_type = ${WORK_TYPE} and worker_id <> ${NOBODY}
          and (status = 'succeeded' or status = 'failed' and retry_at is null))::int as ended`;
  return ended;
}

async function* readHistory(url: string, { number, of }: Share): AsyncIterable<HistoryEvent[]> {
  await using database = openForReading(url);
  yield* database.sql<HistoryEvent[]>`
    select n::float8, extract(epoch from at)::float8 * 1000 as at, event, item, fence::text,
      extract(epoch from expires_at)::float8 * 1000 as "expiresAt",
      extract(epoch from written_at)::float8 * 1000 as "writtenAt", by_hand as "byHand"
    from chaos.history where ${of} = 1 or chaos.share_of(item, ${of}) = ${number}
    order by n`.cursor(ROWS);
}

async function* readEntries(url: string, { number, of }: Share): AsyncIterable<Entry[]> {
  await using database = openForReading(url);
  yield* database.sql<Entry[]>`
    select * from (
      select t.payload ->> 'name' as item, t.status, l.max_attempts as "maxAttempts",
        t.payload ? 'key' as "isLimited", t.payload ->> 'behaviour' as behaviour
      from public.tasks t join dibs.log l on l.id = t.id
      union all
      select t.id::text, case c.status
          when 'succeeded' then 'completed'
          when 'failed' then case when c.retry_at is null then 'failed' else 'waiting' end
          else coalesce(c.status, 'unclaimed') end,
        5, false, t.content
      from public.thoughts t
      left join public.thought_work_claims c on c.thought_id = t.id and c.work_type = ${WORK_TYPE}) entry
    where ${of} = 1 or chaos.share_of(item, ${of}) = ${number}`.cursor(ROWS);
}

/** May take minutes over a million items. */
function openForReading(url: string) {
  const connection = { statement_timeout: STATEMENT_MS };
  const sql = postgres(url, { max: 1, onnotice: () => {}, connection });
  return { sql, [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }) };
}

async function findParked(sql: Sql): Promise<Parked[]> {
  return await sql<Parked[]>`
    select l.payload ->> 'name' as name, e.state = 'parked' as "inDoubt"
    from dibs.effect e join dibs.log l on l.id = e.id
    where e.parked_at is not null order by l.id`;
}

async function findPosted(sql: Sql): Promise<string[]> {
  const rows = await sql<{ item: string }[]>`select item from chaos.posting`;
  return rows.map(({ item }) => item);
}

/** In the log, since the statistics do not outlive an immediate stop. What is said of an error goes with it. */
async function readErrors(stateDir: string): Promise<LoggedError[]> {
  const errors: LoggedError[] = [];
  const text = await Deno.readTextFile(join(stateDir, "postgres/postgres.log"));
  const begin = new RegExp(`${STATE}(\\w{5}) (\\w+):`);
  let said: LoggedError | null = null;
  for (const line of text.split("\n")) {
    const [, sqlstate, level] = line.match(begin) ?? [];
    if (/^(ERROR|FATAL|PANIC)$/.test(level)) errors.push(said = { sqlstate, said: line });
    else if (said && (!level || /^(DETAIL|HINT|CONTEXT|STATEMENT)$/.test(level))) {
      said.said = `${said.said}\n${line}`.slice(0, LONGEST_ERROR);
    } else said = null;
  }
  return errors;
}

async function findLeaks(stateDir: string): Promise<string[]> {
  const logs = ["postgres/postgres.log"];
  for await (const { name } of Deno.readDir(stateDir)) if (name.endsWith(".log")) logs.push(name);
  const leaks = [];
  for (const log of logs) {
    const lines = (await Deno.readTextFile(join(stateDir, log))).split("\n");
    const leak = lines.find((line) => line.includes(CANARY));
    if (leak) leaks.push(`${log}: ${leak.slice(0, 200)}`);
  }
  return leaks;
}
