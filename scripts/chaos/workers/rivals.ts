// Several clients at once, over SQL, who claim the same few thoughts by name, again and again, in any
// order, with ids among them that are no thought's. They release, hand back, or let their claims expire;
// they delete thoughts; and one that asks nobody inserts claims itself, in transactions it holds open.
import { delay } from "@std/async/delay";
import type { Sql } from "postgres";
import { runUntilParentEnds, setting } from "../../stack/child.ts";
import { surviveLostConnections } from "../../stack/lost_connections.ts";
import { Connection } from "../connection.ts";
import { CONTEST, CONTEST_LEASE_SECONDS, NOBODY } from "../contest.ts";
import { WORK_TYPE } from "../workload.ts";
import { crookClock } from "./crooked_clock.ts";

const RIVALS = 4;
const MOST_IDS = 40;
const PAUSE_MS = 60;
const BEFORE_END_MS = 20;
const AFTER_FAILURE_MS = 300;
const LONGEST_HOLD_MS = 1_500;
const CALL_MS = 10_000;

const workerId = setting("DIBS_WORKER_ID");
const stop = new AbortController();
surviveLostConnections();
crookClock(Number(setting("DIBS_CLOCK_OFF_MS")));

const working = Promise.all(Array.from({ length: RIVALS }, (_, n) => contend(`${workerId}/${n}`)));
Deno.addSignalListener("SIGTERM", () => void finish().then(() => Deno.exit(0)));
runUntilParentEnds(finish);

async function contend(me: string): Promise<void> {
  const connection = new Connection(setting("DIBS_DATABASE_URL"), {
    name: "worker",
    role: "service_role",
  });
  let thoughts: string[] = [];
  while (!stop.signal.aborted) {
    try {
      const inTime = AbortSignal.timeout(CALL_MS);
      if (thoughts.length === 0) thoughts = await connection.run(findContested, inTime);
      await connection.run((sql) => turn(sql, me, thoughts), inTime);
      await pause(PAUSE_MS);
    } catch (error) {
      console.error(String(error));
      await delay(AFTER_FAILURE_MS);
    }
  }
  await connection.close();
}

async function findContested(sql: Sql): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select thought_id as id from public.thought_work_claims where worker_id = ${NOBODY}`;
  return rows.map(({ id }) => id);
}

async function turn(sql: Sql, me: string, thoughts: string[]): Promise<void> {
  const dice = Math.random();
  if (dice < 0.03) return await replace(sql, pick(thoughts));
  if (dice < 0.08) return await insertClaim(sql, me, pick(thoughts));
  const wanted = Array.from({ length: 1 + Math.random() * MOST_IDS }, () => pick(thoughts));
  const asked = performance.now();
  const won = await claim(sql, me, wanted);
  if (dice < 0.3) return await returnAfterTheEnd(sql, me, won, asked);
  if (dice < 0.6) {
    await sql`select public.release_claims_for_worker(${CONTEST}, ${me})`;
    return;
  }
  for (const id of won) {
    await sql`select public.release_thought(${id}, ${CONTEST}, ${me}, 'succeeded')`;
  }
  // Clearing what is done, so that it can be done again, is what clients do.
  await sql`
    delete from public.thought_work_claims
    where work_type = ${CONTEST} and thought_id = any (${won}) and status = 'succeeded'`;
}

/** Claims in a statement that began so long before. */
async function claim(sql: Sql, me: string, wanted: string[], waitMs = 0): Promise<string[]> {
  const ids = [...wanted, crypto.randomUUID(), null];
  const won = await sql<{ id: string }[]>`
    select id from public.claim_thoughts(
      case when pg_sleep(${waitMs / 1000}) is not null then ${ids}::uuid[] end,
      ${CONTEST}, ${me}, ${CONTEST_LEASE_SECONDS}) id`;
  return won.map(({ id }) => id);
}

/** Lets claims expire, and asks for them again in a statement that began while they lived. */
async function returnAfterTheEnd(
  sql: Sql,
  me: string,
  won: string[],
  asked: number,
): Promise<void> {
  if (won.length === 0 || stop.signal.aborted) return;
  const answered = performance.now();
  await pause(asked + CONTEST_LEASE_SECONDS * 1000 - BEFORE_END_MS - answered);
  await claim(sql, me, won, BEFORE_END_MS + answered - asked);
}

/** The claim goes with the thought. For other kinds of work it stays out of the way. */
async function replace(sql: Sql, id: string): Promise<void> {
  await sql.begin(async (sql) => {
    await sql`delete from public.thoughts where id = ${id}`;
    await sql`insert into public.thoughts (id, content) values (${id}, 'works')`;
    await sql`
      insert into public.thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at, status)
      values (${id}, ${WORK_TYPE}, ${NOBODY}, now() + interval '1 hour', 'succeeded')`;
  });
}

/** As a client that asks nobody: whoever wants the same thought now must wait for the end of this. */
async function insertClaim(sql: Sql, me: string, id: string): Promise<void> {
  await sql.begin(async (sql) => {
    await sql`
      insert into public.thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at)
      values (${id}, ${CONTEST}, ${
      me + "/by-hand"
    }, now() + ${CONTEST_LEASE_SECONDS} * interval '1 s')
      on conflict do nothing`;
    await pause(Math.random() * LONGEST_HOLD_MS);
    if (Math.random() < 0.5) throw new ChangedItsMind();
  }).catch((error) => {
    if (!(error instanceof ChangedItsMind)) throw error;
  });
}

class ChangedItsMind extends Error {}

function pick<T>(list: T[]): T {
  return list[Math.floor(Math.random() * list.length)];
}

/** Shorter when it is time to stop. */
async function pause(ms: number): Promise<void> {
  await delay(ms, { signal: stop.signal }).catch(() => {});
}

async function finish(): Promise<void> {
  stop.abort();
  await working;
}
