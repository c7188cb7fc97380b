// Races, written down step by step as PostgreSQL's own isolation tests are. A permutation is one line:
//
//   a begins, a claims x -> x, b renews… -> none, a commits => x: a #2
//
// Sessions `a` and `b` are connections of their own. A session's first word is its name, the next one a
// verb of the world they act on; what follows `->` is the answer, and what follows `=>` is who has what
// in the end. A step ends before the next one begins, but for those marked `…`: they are seen to wait
// for a lock that another session holds, and go on when it lets go. `a2` is another connection of
// worker `a`, and `a'` is a worker that goes by the name of `a` too. Time stands still, but for
// `one second passes` and `one hour passes`.

import { delay } from "@std/async/delay";
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "./clock.ts";
import { freshDatabase, type TestDatabase } from "./database.ts";
import { pidOf } from "./locks.ts";

/** What sessions act on. */
export interface World {
  /** What a session can do besides beginning and ending transactions. */
  verbs: Record<string, Verb>;
  /** Who has what, in one line. Fails when that cannot be. */
  state(): Promise<string>;
}

/** Does something on a session's connection, given the words after the verb; returns the answer. */
export type Verb = (session: Session, words: string[]) => PromiseLike<string | void>;

export interface Session {
  sql: Sql;
  /** The same for all connections of a worker. */
  worker: string;
  /** What it calls itself. */
  workerId: string;
}

interface Race {
  /** Makes the world anew, in an empty database, for each permutation. */
  world: (sql: Sql) => Promise<World>;
  /** Steps that come before every permutation. */
  given?: string;
  permutations: string[];
}

/** Makes a test, with a step of its own for each permutation, named after it. */
export function race(name: string, { world: make, given = "", permutations }: Race): void {
  Deno.test(name, async (test) => {
    await using db = await freshDatabase();
    const stage = await setStage(db);
    for (const permutation of permutations) {
      await test.step(stepsOf(permutation).join(", "), async () => {
        await stage.clear();
        const world = await make(db.sql);
        assert.equal(await play(stage, world, stepsOf(given)), given);
        const trace = await play(stage, world, stepsOf(permutation));
        assert.equal(`${trace} => ${await world.state()}`, permutation.replace(/\s+/g, " "));
      });
    }
  });
}

/** Every order in which the steps of two sessions can come. */
export function interleavings(one: string[], other: string[]): string[][] {
  if (one.length === 0 || other.length === 0) return [[...one, ...other]];
  return [
    ...interleavings(one.slice(1), other).map((rest) => [one[0], ...rest]),
    ...interleavings(one, other.slice(1)).map((rest) => [other[0], ...rest]),
  ];
}

/** The steps of a permutation as they are written, without answers and end. */
function stepsOf(permutation: string): string[] {
  const [trace] = permutation.split("=>");
  return trace.split(",").map((step) => step.split("->")[0].trim()).filter(Boolean);
}

interface Stage {
  /** Ends what sessions left open, and empties the database. */
  clear(): Promise<void>;
  passTime(interval: string): Promise<void>;
  /** The connection of that name; opened when it is first asked for. */
  enter(name: string): Promise<Session>;
  /** Whether a session waits for a lock that another one holds. */
  isBlocked(name: string): Promise<boolean>;
}

async function setStage({ sql, as }: TestDatabase): Promise<Stage> {
  const clock = await testClock(sql, { stopped: true });
  const sessions = new Map<string, Session>();
  const pids = new Map<string, number>();
  return {
    async clear() {
      await Promise.all([...sessions.values()].map(({ sql }) => sql`rollback`));
      await sql.unsafe(EMPTY);
    },
    passTime: (interval) => clock.advance(interval),
    async enter(name) {
      if (!sessions.has(name)) {
        const connection = as("service_role");
        await connection`set statement_timeout = '30 s'`;
        pids.set(name, await pidOf(connection));
        const worker = name.replace(/\d/, "");
        sessions.set(name, { sql: connection, worker, workerId: worker.replace("'", "") });
      }
      return sessions.get(name)!;
    },
    async isBlocked(name) {
      const [{ blocked }] = await sql`
        select pg_blocking_pids(${pids.get(name)!}) && ${[...pids.values()]}::int[] as blocked`;
      return blocked;
    },
  };
}

/** All there is, but for what was there from the beginning. */
const EMPTY = `do $$
declare
  v_table regclass;
begin
  delete from public.thoughts where true;
  for v_table in
    select c.oid from pg_class c
    where c.relnamespace = 'dibs'::regnamespace and c.relkind = 'r'
      and c.relname not in ('id_seed', 'settings', 'lane', 'claim_source', 'source_sql')
  loop
    execute format('delete from %s where true', v_table);
  end loop;
end $$`;

/** A step that was begun. */
interface Running {
  name: string;
  session: string;
  waited: boolean;
  /** What it answered; undefined as long as it has not ended. */
  answer?: string;
  ended: Promise<void>;
}

/** Plays steps one after the other; returns them with what they answered, and which of them waited. */
async function play(stage: Stage, world: World, steps: string[]): Promise<string> {
  const begun: Running[] = [];
  const waiting = () => begun.filter(({ answer }) => answer === undefined);
  for (const step of steps) {
    const name = step.replace("…", "");
    const [session] = name.split(" ");
    if (waiting().some((running) => running.session === session)) break;
    begun.push(await begin(stage, world, session, name));
    // Whoever ends may let others go on, until those left wait for sessions that are idle.
    let before: number;
    do {
      before = waiting().length;
      for (const running of waiting()) await untilItEndsOrWaits(stage, running);
    } while (waiting().length < before);
  }
  return begun.map(renderStep).join(", ");
}

const renderStep = ({ name, waited, answer = "still waits" }: Running) =>
  `${name}${waited ? "…" : ""}${answer && ` -> ${answer}`}`;

async function begin(stage: Stage, world: World, session: string, name: string): Promise<Running> {
  const [, unit] = name.match(/^one (second|hour) passes$/) ?? [];
  const answering = unit
    ? Promise.resolve(await stage.passTime(`1 ${unit}`))
    : act(world, await stage.enter(session), name.split(" ").slice(1));
  const ended = answering.then((answer) => void (running.answer = answer ?? ""));
  const running: Running = { name, session, waited: false, ended };
  return running;
}

/** What a session's step answers; what the database refuses is an answer too. */
async function act(world: World, session: Session, [verb, ...words]: string[]) {
  const { [verb]: perform } = { ...world.verbs, ...TRANSACTIONS };
  if (!perform) return `there is no verb "${verb}"`;
  try {
    return await perform(session, words);
  } catch (error) {
    return `error ${(error as { code?: string }).code ?? error}`;
  }
}

const TRANSACTIONS: Record<string, Verb> = {
  begins: async ({ sql }, words) => {
    await sql.unsafe(words.length > 0 ? `begin isolation level ${words.join(" ")}` : "begin");
  },
  commits: async ({ sql }) => void await sql`commit`,
  rolls: async ({ sql }) => void await sql`rollback`,
};

async function untilItEndsOrWaits(stage: Stage, running: Running): Promise<void> {
  while (running.answer === undefined) {
    const pause = new AbortController();
    await Promise.race([running.ended, delay(5, { signal: pause.signal }).catch(() => {})]);
    pause.abort();
    if (running.answer !== undefined) return;
    if (await stage.isBlocked(running.session) && running.answer === undefined) {
      running.waited = true;
      return;
    }
  }
}
