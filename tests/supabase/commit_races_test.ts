// A SQL function that asserts its lease, against everything else that goes for a lease, in both orders.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase, type TestDatabase } from "../support/database.ts";
import {
  claimLetters,
  completeBy,
  lettersOf,
  makeLetters,
  type Surface,
} from "../support/letters.ts";
import { assertInvariants } from "../support/invariants.ts";
import { startBlocked } from "../support/locks.ts";
import { assertRefused, claim, renew, settle } from "../support/tasks.ts";
import { claim as claimThoughts } from "../support/thoughts.ts";

interface Lease {
  fence: string;
  ids: string[];
}

/** What else takes work out of a lease. */
interface Rival {
  surface: Surface;
  name: string;
  /** The time of the lease runs out first. */
  expired?: boolean;
  /** It waits for a function that was there before, or passes it by. */
  waits: boolean;
  act(sql: Sql, lease: Lease): PromiseLike<unknown>;
}

const RIVALS: Rival[] = [
  {
    surface: "tasks",
    name: "reap_tasks",
    expired: true,
    waits: false,
    act: (sql) => sql`select reap_tasks()`,
  },
  {
    surface: "tasks",
    name: "a claim that reaps",
    expired: true,
    waits: false,
    act: (sql) => claim(sql, { worker: "other" }),
  },
  {
    surface: "tasks",
    name: "settle_lease",
    waits: true,
    act: (sql, { fence }) => settle(sql, fence, [], "released"),
  },
  {
    surface: "tasks",
    name: "settle_lease, item by item",
    waits: true,
    act: (sql, { fence, ids }) => settle(sql, fence, ids.map((id) => ({ id, status: "failed" }))),
  },
  {
    surface: "tasks",
    name: "cancel_tasks",
    waits: true,
    act: (sql, { ids }) => sql`select cancel_tasks(${ids})`,
  },
  {
    surface: "tasks",
    name: "release_tasks_for_worker",
    waits: true,
    act: (sql) => sql`select release_tasks_for_worker('worker')`,
  },
  {
    surface: "thoughts",
    name: "a claim that reaps",
    expired: true,
    waits: false,
    act: (sql, { ids }) => claimThoughts(sql, ids, { worker: "other" }),
  },
  {
    surface: "thoughts",
    name: "settle_lease",
    waits: true,
    act: (sql, { fence, ids }) =>
      settle(sql, fence, ids.map((id) => ({ id, status: "succeeded", metadata: { n: 1 } }))),
  },
  {
    surface: "thoughts",
    name: "release_claims_for_worker",
    waits: true,
    act: (sql) => sql`select release_claims_for_worker(null, 'worker')`,
  },
  {
    surface: "thoughts",
    name: "a deletion of the thoughts",
    waits: true,
    act: (sql, { ids }) => sql`delete from thoughts where id = any (${ids})`,
  },
];

for (const rival of RIVALS) {
  const { surface, expired = false, waits, act } = rival;

  testRace(
    `${surface}: ${rival.name} ${
      waits ? "waits for" : "passes by"
    } a function that asserted its lease, which then completes`,
    surface,
    async ({ db, mine, its, lease, expire }) => {
      const [id] = lease.ids;
      await mine`begin`;
      await mine`select assert_lease(${lease.fence}, ${id})`;
      if (expired) await expire();
      const { done } = waits
        ? await startBlocked(db.sql, its, (its) => act(its, lease))
        : { done: await act(its, lease) };
      await mine`insert into letters values (${id})`;
      await mine`select complete_with_result(${lease.fence}, ${id}, '{"pages": 3}')`;
      await mine`commit`;
      await done;
      assert.deepEqual(await lettersOf(db.sql), [id]);
      if (rival.name.startsWith("a deletion")) return;
      const [{ completed }] = await db
        .sql`select was_completed(${lease.fence}, ${id}) as completed`;
      assert.equal(completed, true);
    },
  );

  for (const end of ["commit", "rollback"]) {
    testRace(
      `${surface}: a function waits for ${rival.name}, which ends with ${end}`,
      surface,
      async ({ db, mine, its, lease, expire }) => {
        if (expired) await expire();
        await its`begin`;
        await act(its, lease);
        const { done } = await startBlocked(
          db.sql,
          mine,
          (mine) => completeBy(mine, lease.fence, lease.ids[0]),
        );
        await its.unsafe(end);
        const refused = expired || end === "commit";
        if (refused) await assertRefused(done, "PT409", /^lost/);
        else await done;
        assert.deepEqual(await lettersOf(db.sql), refused ? [] : [lease.ids[0]]);
      },
    );
  }
}

for (const surface of ["tasks", "thoughts"] as const) {
  testRace(
    `${surface}: two functions under one lease both complete, whoever asserts first`,
    surface,
    async ({ db, mine, its, lease: { fence, ids: [first, second] } }) => {
      await mine`begin`;
      await mine`select assert_lease(${fence}, ${first})`;
      await its`begin`;
      // The tasks of a lease are one row, its thoughts a row each.
      const { done } = await startBlocked(
        db.sql,
        its,
        (its) => its`select assert_lease(${fence}, ${second})`,
        { orEnds: true },
      );
      await mine`select complete_with_result(${fence}, ${first})`;
      await mine`commit`;
      await done;
      await its`select complete_with_result(${fence}, ${second})`;
      await its`commit`;
      assert.deepEqual(await renew(db.sql, fence), []);
    },
  );

  testRace(
    `${surface}: a heartbeat waits for the function, and then says what is left`,
    surface,
    async ({ db, mine, its, lease: { fence, ids: [first, second] } }) => {
      await mine`begin`;
      await completeBy(mine, fence, first);
      const { done } = await startBlocked(db.sql, its, (its) => renew(its, fence));
      await mine`commit`;
      assert.deepEqual(await done, [second]);
    },
  );

  testRace(
    `${surface}: whether it was completed is answered after the transaction that is at it`,
    surface,
    async ({ db, mine, its, lease: { fence, ids: [id] } }) => {
      await mine`begin`;
      await completeBy(mine, fence, id);
      const { done } = await startBlocked(
        db.sql,
        its,
        (its) => its`select was_completed(${fence}, ${id}) as completed`,
      );
      await mine`commit`;
      assert.equal((await done)[0].completed, true);
    },
  );

  for (const order of ["before", "after"]) {
    testRace(
      `${surface}: neighbours are settled ${order} the function, and neither stops the other`,
      surface,
      async ({ db, mine, its, lease: { fence, ids: [id, neighbour] } }) => {
        const complete = (sql: Sql) => completeBy(sql, fence, id, { n: 1 });
        const outcome = surface === "tasks"
          ? { id: neighbour, status: "succeeded", result: 1 }
          : { id: neighbour, status: "succeeded", metadata: { n: 2 } };
        const settleIt = (sql: Sql) => settle(sql, fence, [outcome]);
        const [first, second] = order === "after" ? [complete, settleIt] : [settleIt, complete];
        await mine`begin`;
        await first(mine);
        const { done } = await startBlocked<unknown>(db.sql, its, second, { orEnds: true });
        await mine`commit`;
        await done;
        assert.deepEqual(await lettersOf(db.sql), [id]);
        assert.deepEqual(await renew(db.sql, fence), []);
      },
    );
  }
}

interface Race {
  db: TestDatabase;
  mine: Sql;
  its: Sql;
  lease: Lease;
  /** Lets the time of the lease run out. */
  expire(): Promise<void>;
}

function testRace(name: string, surface: Surface, run: (race: Race) => Promise<void>): void {
  Deno.test(name, async () => {
    await using db = await freshDatabase();
    await makeLetters(db.sql);
    const clock = await testClock(db.sql);
    const lease = await claimLetters(db.sql, surface, 2);
    const [mine, its] = [db.connect(), db.connect()];
    await run({ db, mine, its, lease, expire: () => clock.advance("2 minutes") });
    await assertInvariants(db.sql);
  });
}
