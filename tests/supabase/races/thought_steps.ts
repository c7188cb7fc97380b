import type { Sql } from "postgres";
import type { Verb, World } from "../../support/permutations.ts";
import { claim, claimNamed, claimNext } from "../../support/thoughts.ts";
import { idsOf, makeThoughts, release, renew, settle, WORK } from "../../support/thoughts.ts";
import { Fences, Names, readOutcomes, readRequest, rows, settlement } from "./words.ts";

/** Thoughts with these names, in the order of their ids, and what can be done to them. */
export const thoughts = (...names: string[]) => async (sql: Sql): Promise<World> => {
  const known = new Names(names, await makeThoughts(sql, names.length));
  return {
    verbs: {
      ...workersVerbs(known),
      ...clientsVerbs(known),
      ...ownersVerbs(known),
      ...GATEKEEPERS_VERBS,
    },
    state: () => stateOf(sql, known),
  };
};

/** What whoever looks after a project does. */
const GATEKEEPERS_VERBS: Record<string, Verb> = {
  async limits({ sql }, [limit]) {
    await sql`select set_claim_limit('thoughts', ${WORK}, ${limit})`;
  },
  /** Answers how many are claimed. */
  async pauses({ sql }) {
    const [{ n }] = await sql`select pause_claims('thoughts', ${WORK}) as n`;
    return `${n}`;
  },
  async resumes({ sql }) {
    await sql`select resume_claims('thoughts', ${WORK})`;
  },
};

/** What workers do that know Dibs. */
function workersVerbs(names: Names): Record<string, Verb> {
  const fences = new Fences();

  return {
    async claims(session, all) {
      const { words, requestId } = readRequest(session, all);
      const ids = words.map((name) => names.idOf(name));
      const thoughts = await claimNamed(session.sql, ids, { worker: session.workerId, requestId });
      fences.answered(session, thoughts[0]?.fence, requestId);
      return names.list(idsOf(thoughts));
    },
    async fetches(session, all) {
      const { words, requestId } = readRequest(session, all);
      const options = { worker: session.workerId, requestId };
      const thoughts = await claimNext(session.sql, Number(words[0]), options);
      fences.answered(session, thoughts[0]?.fence, requestId);
      return names.list(idsOf(thoughts));
    },
    async renews(session) {
      return names.list(await renew(session.sql, fences.of(session)));
    },
    async settles(session, words) {
      const { outcomes, rest } = readOutcomes(names, words);
      return settlement(names, await settle(session.sql, fences.of(session), outcomes, rest));
    },
    /** `notes x`: it succeeded, and its metadata say so. */
    async notes(session, [name]) {
      const metadata = { noted: session.workerId };
      const outcomes = [{ id: names.idOf(name), status: "succeeded", metadata }];
      return settlement(names, await settle(session.sql, fences.of(session), outcomes));
    },
    /** `swaps 2`: all has succeeded, and so many next ones, please. */
    async swaps(session, all) {
      const { words, requestId } = readRequest(session, all);
      const [{ next }] = await session.sql`
        select settle_and_claim_thoughts(${fences.of(session)}, '[]', 'succeeded', ${WORK},
          ${session.workerId}, ${Number(words[0])}, 60, 5, ${requestId ?? null}) as next`;
      fences.answered(session, next.fence, requestId);
      const got = next.thoughts.map(({ id }: { id: string }) => id);
      return `${settlement(names, next)} got ${names.list(got)}`;
    },
  };
}

/** What clients do that know the table of claims and the functions of the contract only. */
function clientsVerbs(names: Names): Record<string, Verb> {
  return {
    async takes({ sql, workerId }, words) {
      const ids = words.map((name) => name === "null" ? null : names.idOf(name));
      return names.list(await claim(sql, ids, { worker: workerId }));
    },
    async embeds({ sql, workerId }, words) {
      const ids = words.map((name) => names.idOf(name));
      return names.list(await claim(sql, ids, { worker: workerId, workType: "embedding" }));
    },
    async reaps({ sql }) {
      await claim(sql, []);
    },
    /** `releases x succeeded`, `releases all` */
    async releases({ sql, workerId }, [name, status]) {
      if (name !== "all") {
        return await release(sql, names.idOf(name), status, { worker: workerId }) ? "yes" : "no";
      }
      const [{ n }] = await sql`select release_claims_for_worker(${WORK}, ${workerId}) as n`;
      return `${n}`;
    },
    async inserts({ sql, workerId }, words) {
      const ids = words.map((name) => names.idOf(name));
      return rows(
        await sql`
          insert into thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at)
          select id, ${WORK}, ${workerId}, dibs.clock() + interval '1 day'
          from unnest(${ids}::uuid[]) id on conflict do nothing`,
      );
    },
    async clears({ sql }, [name]) {
      const id = names.idOf(name);
      return rows(await sql`delete from thought_work_claims where thought_id = ${id}`);
    },
    async prolongs({ sql, workerId }, [name]) {
      return rows(
        await sql`
          update thought_work_claims set ttl_expires_at = dibs.clock() + interval '1 day'
          where worker_id = ${workerId} and status = 'claimed' and thought_id = ${
          names.idOf(name)
        }`,
      );
    },
    async usurps({ sql, workerId }, [name]) {
      return rows(
        await sql`
          update thought_work_claims
          set worker_id = ${workerId}, claimed_at = dibs.clock(),
            ttl_expires_at = dibs.clock() + interval '1 day'
          where ttl_expires_at < dibs.clock() and thought_id = ${names.idOf(name)}`,
      );
    },
  };
}

/** What whoever the thoughts belong to does. */
function ownersVerbs(names: Names): Record<string, Verb> {
  return {
    async deletes({ sql }, [name]) {
      await sql`delete from thoughts where id = ${names.idOf(name)}`;
    },
    /** As somebody does who looks first and then decides to delete it. */
    async locks({ sql }, [name]) {
      await sql`select from thoughts where id = ${names.idOf(name)} for update`;
    },
    async edits({ sql }, [name]) {
      await sql`
        update thoughts set content = 'edited', metadata = metadata || '{"edited": true}'
        where id = ${names.idOf(name)}`;
    },
    async reads({ sql }, [name]) {
      const [row] = await sql`select metadata from thoughts where id = ${names.idOf(name)}`;
      return Object.keys(row.metadata).sort().join(" ") || "nothing";
    },
  };
}

/** Such as `x: a #2, y: free, z: succeeded #1`: who holds it in which attempt, or what came of it. */
async function stateOf(sql: Sql, names: Names): Promise<string> {
  const lines = names.entries().map(async ([name, id]) => {
    const [found] = await sql`
      select c.status, c.worker_id, coalesce(c.attempt_count, m.attempts) as attempts
      from thoughts t
      left join thought_work_claims c on c.thought_id = t.id and c.work_type = ${WORK}
      left join dibs.thought_attempt m on m.thought_id = t.id and m.work_type = ${WORK}
      where t.id = ${id}`;
    if (!found) return `${name}: gone`;
    const { status, worker_id, attempts } = found;
    const what = status === "claimed" ? worker_id : status ?? "free";
    return `${name}: ${what}${attempts ? ` #${attempts}` : ""}`;
  });
  return (await Promise.all(lines)).join(", ");
}
