// Transactions stricter than read committed, forced to look at the same work before either takes it.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase } from "../support/database.ts";
import { startBlocked } from "../support/locks.ts";
import * as tasks from "../support/tasks.ts";
import * as thoughts from "../support/thoughts.ts";

/** A way to claim: makes something to claim, and claims the first so many of it. */
interface Way {
  make(sql: Sql, count: number): Promise<string[]>;
  claim(sql: Sql, made: string[], count: number): Promise<string[]>;
}

const WAYS: Record<string, Way> = {
  claim_tasks: {
    make: (sql, count) => tasks.enqueueSingles(sql, "a", count),
    claim: async (sql, _, limit) => tasks.ids(await tasks.claim(sql, { limit })),
  },
  claim_thoughts: {
    make: thoughts.makeThoughts,
    claim: (sql, made, count) => thoughts.claim(sql, made.slice(0, count)),
  },
  claim_named_thoughts: {
    make: thoughts.makeThoughts,
    claim: async (sql, made, count) =>
      thoughts.idsOf(await thoughts.claimNamed(sql, made.slice(0, count))),
  },
  claim_next_thoughts: {
    make: thoughts.makeThoughts,
    claim: async (sql, _, limit) => thoughts.idsOf(await thoughts.claimNext(sql, limit)),
  },
};

for (const level of ["repeatable read", "serializable"]) {
  const begin = (sql: Sql) => sql.unsafe(`begin isolation level ${level}`);

  for (const [name, { make, claim }] of Object.entries(WAYS)) {
    for (const committed of [true, false]) {
      const then = committed ? "and was committed" : "and is not committed";
      Deno.test(`${level}: ${name} grants nothing that another granted since it looked, ${then}`, async () => {
        await using db = await freshDatabase();
        const [a, b] = [db.connect(), db.connect()];
        const made = await make(db.sql, 4);
        for (const sql of [a, b]) {
          await begin(sql);
          await sql`select from dibs.ready, thought_work_claims`;
        }
        const first = await claim(a, made, 2);
        if (committed) await a`commit`;
        const second = await unlessRefused(b, () => claim(b, made, 4));
        if (!committed) await a`commit`;
        const kept = await unlessRefused(b, async () => (await b`commit`, second));
        await begin(b);
        const rest = await claim(b, made, 4);
        await b`commit`;
        assert.equal(first.length, 2);
        assert.deepEqual([...first, ...kept, ...rest].sort(), made.toSorted());
      });
    }
  }

  const test = (what: string, call: (sql: Sql) => Promise<string[]>) =>
    Deno.test(`${level}: ${what} is refused with 40001, and answered the same when repeated`, async () => {
      await using db = await freshDatabase();
      const [a, b] = [db.connect(), db.connect()];
      await tasks.enqueue(db.sql, "a", 2);
      await a`begin`;
      const answer = await call(a);
      await begin(b);
      const { done } = await startBlocked(db.sql, b, call);
      await a`commit`;
      assert.equal(await done.catch((error) => error.code), "40001");
      await b`rollback`;
      const count = async () => [...await db.sql`select * from task_counts()`];
      const before = await count();
      assert.deepEqual(await call(b), answer);
      assert.deepEqual(await count(), before);
    });
  test("a claim sent twice", async (sql) =>
    tasks.ids(await tasks.claim(sql, { limit: 2, requestId: "r" })));
  test("an enqueue sent twice", async (sql) =>
    tasks.ids(await sql`select id from enqueue_tasks('[{"type": "a"}]', 'r')`));
  test("an enqueue with a unique key that another is taking", async (sql) =>
    tasks.ids(await sql`select create_task('a', p_unique_key => 'k') as id`));
}

/** What `work` answers; nothing when its transaction is refused for the sake of another one. */
async function unlessRefused(sql: Sql, work: () => Promise<string[]>): Promise<string[]> {
  try {
    return await work();
  } catch (error) {
    assert.equal((error as { code?: string }).code, "40001");
    await sql`rollback`;
    return [];
  }
}
