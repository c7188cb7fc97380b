import type { Sql } from "postgres";
import { assertInvariants } from "../../support/invariants.ts";
import type { Verb, World } from "../../support/permutations.ts";
import { claim, enqueue, enqueueSingles, ids, renew, settle } from "../../support/tasks.ts";
import { Fences, Names, readOutcomes, readRequest, rows, settlement } from "./words.ts";

/** Tasks with these names, enqueued together as one run, and what can be done to them. */
export const tasks = (...names: string[]) => async (sql: Sql): Promise<World> =>
  worldOf(sql, new Names(names, await enqueue(sql, "task", names.length)));

/** The same, enqueued one by one: each is a run of its own. */
export const singleTasks = (...names: string[]) => async (sql: Sql): Promise<World> =>
  worldOf(sql, new Names(names, await enqueueSingles(sql, "task", names.length)));

/** With the same key or order key, as are those that are enqueued later. */
export const keyedTasks =
  (options: object, ...names: string[]) => async (sql: Sql): Promise<World> =>
    worldOf(
      sql,
      new Names(names, await enqueue(sql, "task", names.length, options)),
      options,
    );

const worldOf = (sql: Sql, names: Names, options = {}): World => ({
  verbs: {
    ...workersVerbs(names),
    ...clientsVerbs(names),
    ...ownersVerbs(names, options),
    ...GATEKEEPERS_VERBS,
  },
  async state() {
    await assertInvariants(sql);
    return await stateOf(sql, names);
  },
});

/** What workers do that know Dibs. */
function workersVerbs(names: Names): Record<string, Verb> {
  const fences = new Fences();
  return {
    async claims(session, all) {
      const { words, requestId } = readRequest(session, all);
      const options = { worker: session.workerId, limit: Number(words[0]), requestId };
      const tasks = await claim(session.sql, options);
      fences.answered(session, tasks[0]?.fence, requestId);
      return names.list(ids(tasks));
    },
    async renews(session) {
      return names.list(await renew(session.sql, fences.of(session)));
    },
    async settles(session, all) {
      const { words, requestId } = readRequest(session, all);
      const { outcomes, rest } = readOutcomes(names, words);
      const answer = await settle(session.sql, fences.of(session), outcomes, rest, requestId);
      return settlement(names, answer);
    },
    /** `swaps 2`: all has succeeded, and so many next ones, please. */
    async swaps(session, all) {
      const { words, requestId } = readRequest(session, all);
      const [{ next }] = await session.sql`
        select settle_and_claim_tasks(${fences.of(session)}, '[]', 'succeeded', ${session.workerId},
          null, ${Number(words[0])}, 60, ${requestId ?? null}) as next`;
      fences.answered(session, next.fence, requestId);
      return `${settlement(names, next)} got ${names.list(ids(next.tasks))}`;
    },
    /** `mails x`: asks to do an effect of it. */
    async mails(session, [name]) {
      const [{ answer }] = await session.sql`
        select effect_begin(${fences.of(session)}, ${names.idOf(name)}, 'mail') as answer`;
      return answer.state;
    },
    async reaps({ sql }) {
      const [{ n }] = await sql`select reap_tasks() as n`;
      return `${n}`;
    },
  };
}

/** What clients do that know the table of tasks only. */
function clientsVerbs(names: Names): Record<string, Verb> {
  return {
    async takes({ sql }) {
      return names.list(ids([...await sql<{ id: string }[]>`select id from claim_task()`]));
    },
    /** `marks x completed`: whatever it was. */
    async marks({ sql }, [name, status]) {
      return rows(await sql`update tasks set status = ${status} where id = ${names.idOf(name)}`);
    },
    /** Lets what is stuck run again, as one finds it in many guides. */
    async resets({ sql }) {
      return rows(
        await sql`
          update tasks set status = 'pending', started_at = null
          where status = 'processing' and started_at < dibs.clock() - interval '10 minutes'`,
      );
    },
    async looks({ sql }) {
      const [{ n }] = await sql`select count(*) as n from tasks where status = 'processing'`;
      return `${n}`;
    },
    async deletes({ sql }, [name]) {
      return rows(await sql`delete from tasks where id = ${names.idOf(name)}`);
    },
  };
}

/** What whoever the tasks belong to does. */
function ownersVerbs(names: Names, options: object): Record<string, Verb> {
  const idsOf = (words: string[]) => words.map((name) => names.idOf(name));
  return {
    async enqueues({ sql }, words) {
      names.add(words, await enqueue(sql, "task", words.length, options));
    },
    /** `secures x`: enqueues it with a unique key; `secures x debounce pending`: as these words say. */
    async secures({ sql }, [name, ...words]) {
      const task = { type: "task", unique_key: "k", ...Object.assign({}, ...words.map(unique)) };
      const [{ id, deduplicated, replaced }] = await sql`
        select * from enqueue_tasks(${sql.json([task])})`;
      if (deduplicated) return `${replaced ? "replaced" : "there is"} ${names.list([id])}`;
      names.add([name], [id]);
    },
    async cancels({ sql }, words) {
      return names.list(ids([
        ...await sql<{ id: string }[]>`select id from cancel_tasks(${idsOf(words)}) id`,
      ]));
    },
    async retries({ sql }, words) {
      return names.list(ids([
        ...await sql<{ id: string }[]>`select id from retry_tasks(${idsOf(words)}) id`,
      ]));
    },
    /** `evicts a`: hands back what worker a holds. */
    async evicts({ sql }, [workerId]) {
      const [{ n }] = await sql`select release_tasks_for_worker(${workerId}) as n`;
      return `${n}`;
    },
    /** `recalls x`: what became of its attempts. */
    async recalls({ sql }, [name]) {
      const attempts = await sql`select outcome from task_attempts(${names.idOf(name)})`;
      return attempts.map(({ outcome }) => outcome).join(" ");
    },
    async prunes({ sql }) {
      const [{ n }] = await sql`select prune_tasks('1 minute') as n`;
      return `${n}`;
    },
  };
}

/** What a word says of a unique key. */
function unique(word: string): Record<string, string | number> {
  if (word === "pending") return { unique_scope: word };
  return word === "minute" ? { unique_seconds: 60 } : { unique_mode: word };
}

/** What whoever looks after a project does. */
const GATEKEEPERS_VERBS: Record<string, Verb> = {
  async limits({ sql }, [limit]) {
    await sql`select set_task_limit('task', ${limit})`;
  },
  /** `paces 2`: so many in an hour. */
  async paces({ sql }, [count]) {
    await sql`select set_task_rate('task', ${count}, '1 hour')`;
  },
  /** Answers how many are held. */
  async pauses({ sql }) {
    const [{ n }] = await sql`select pause_tasks('task') as n`;
    return `${n}`;
  },
  async resumes({ sql }) {
    await sql`select resume_tasks('task')`;
  },
};

/** Such as `x: a #2, y: pending, z: completed #1`: who holds it in which attempt, or how it stands. */
async function stateOf(sql: Sql, names: Names): Promise<string> {
  const lines = names.entries().map(async ([name, id]) => {
    const [found] = await sql`
      select case status when 'processing' then worker_id else status end as what, attempts
      from tasks where id = ${id}`;
    if (!found) return `${name}: gone`;
    return `${name}: ${found.what}${found.attempts ? ` #${found.attempts}` : ""}`;
  });
  return (await Promise.all(lines)).join(", ");
}
