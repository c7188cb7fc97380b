// On PostgreSQL 15, too.
// longer than 300 lines because it holds what stays, what goes, and who may be at it meanwhile.
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { startBlocked } from "../support/locks.ts";
import {
  assertRefused,
  claim,
  enqueue,
  ids,
  renew,
  settle,
  statuses,
  testTasks,
} from "../support/tasks.ts";

testTasks(
  "a type stays as long as was said of it, the others as the settings say",
  async ({ sql }) => {
    const clock = await testClock(sql);
    await sql`select dibs.configure('keep_ended_tasks', '10 days')`;
    await sql`select set_retention('short', '1 day')`;
    await sql`select set_retention('long', '100 days')`;
    await sql`select set_retention('ever')`;
    for (const type of ["short", "usual", "long", "ever"]) await end(sql, type, 2);
    const left = { ever: 2, long: 2, short: 2, usual: 2 };
    assert.deepEqual(await prune(sql), left);
    await clock.advance("1 day 1 second");
    assert.deepEqual(await prune(sql), { ever: 2, long: 2, usual: 2 });
    await clock.advance("9 days");
    assert.deepEqual(await prune(sql), { ever: 2, long: 2 });
    await clock.advance("90 days");
    assert.deepEqual(await prune(sql), { ever: 2 });
    await clock.advance("1000 days");
    assert.deepEqual(await prune(sql), { ever: 2 });
    await sql`select remove_retention('ever')`;
    assert.deepEqual(await prune(sql), {});
  },
);

testTasks("of a type the newest so many stay, whatever their age", async ({ sql }) => {
  const clock = await testClock(sql);
  await sql`select set_retention('mail', null, 3)`;
  const tasks: string[] = [];
  for (let n = 0; n < 5; n++) {
    tasks.push(...await end(sql, "mail"));
    await clock.advance("1 day");
  }
  await end(sql, "other", 4);
  assert.deepEqual(await prune(sql), { mail: 3, other: 4 });
  assert.deepEqual(await statuses(sql, tasks), [
    "gone",
    "gone",
    "completed",
    "completed",
    "completed",
  ]);
});

testTasks("by age and by count: what either says goes", async ({ sql }) => {
  const clock = await testClock(sql);
  await sql`select set_retention('mail', '2 days', 3)`;
  for (let n = 0; n < 5; n++) {
    await end(sql, "mail");
    await clock.advance("1 hour");
  }
  assert.deepEqual(await prune(sql), { mail: 3 });
  await clock.advance("1 day 22 hours");
  assert.deepEqual(await prune(sql), { mail: 1 });
  await sql`select set_retention('mail', '2 days', 0)`;
  assert.deepEqual(await prune(sql), {});
});

testTasks("what ended in the same moment stays or goes together", async ({ sql }) => {
  const clock = await testClock(sql);
  await sql`select set_retention('mail', null, 3)`;
  await end(sql, "mail", 10);
  assert.deepEqual(await prune(sql), { mail: 10 });
  await clock.advance("1 day");
  await end(sql, "mail", 2);
  assert.deepEqual(await prune(sql), { mail: 12 });
  await end(sql, "mail", 1);
  assert.deepEqual(await prune(sql), { mail: 3 });
});

testTasks(
  "types that were claimed together go apart, each when its time is over",
  async ({ sql }) => {
    const clock = await testClock(sql);
    await sql`select dibs.configure('keep_ended_tasks', '10 days')`;
    await enqueue(sql, "short", 3);
    await enqueue(sql, "usual", 3);
    const [{ fence }] = await claim(sql, { limit: 6 });
    await settle(sql, fence, [], "succeeded");
    const cancelled = await enqueue(sql, "short", 2);
    await sql`select cancel_tasks(${cancelled})`;
    await clock.advance("2 days");
    assert.deepEqual(await prune(sql), { short: 5, usual: 3 });
    await sql`select set_retention('short', '1 day')`;
    assert.deepEqual(await prune(sql), { usual: 3 });
    await clock.advance("9 days");
    assert.deepEqual(await prune(sql), {});
  },
);

testTasks("a type is known as it ends, however it was claimed", async ({ sql }) => {
  const types = async () =>
    (await sql`select type, status from dibs.outcome order by completed_at, type`)
      .map(({ type, status }) => `${type} ${status}`);
  await enqueue(sql, "a", 300);
  const [by_name] = await claim(sql, { types: ["a"], limit: 150 });
  await settle(sql, by_name.fence, [], "succeeded");
  const [of_all] = await claim(sql, { limit: 20 });
  await settle(sql, of_all.fence, [], "succeeded");
  const [of_several] = await claim(sql, { types: ["a", "b"], limit: 1 });
  await settle(sql, of_several.fence, [{ id: of_several.id, status: "failed", permanent: true }]);
  const [by_hand] = await claim(sql);
  await sql`update tasks set status = 'completed' where id = ${by_hand.id}`;
  assert.deepEqual(new Set(await types()), new Set(["a completed", "a failed"]));
});

testTasks("what is left goes with the ticks, a batch each at least", async ({ sql }) => {
  await sql`select dibs.configure('keep_ended_tasks', '0')`;
  await end(sql, "mail", 250);
  // No time at all: one batch.
  const go_on = async (plan: boolean) => {
    const [{ n }] = await sql`
      select dibs.go_on_pruning('-infinity', ${plan})::int as n`;
    return n;
  };
  const [{ deleted }] = await sql`
    select deleted::int from dibs.prune_batch('mail', '-infinity', 'infinity', 100)`;
  assert.equal(deleted, 100);
  assert.equal(await go_on(false), 0);
  assert.equal(await go_on(true), 150);
  assert.equal((await sql`select from dibs.pruning`).length, 1);
  await sql`select dibs.tick()`;
  assert.equal((await sql`select from dibs.pruning`).length, 0);
  assert.equal((await sql`select from dibs.log`).length, 0);
});

testTasks("a tick goes on where the last one stopped", async ({ sql }) => {
  await sql`select dibs.configure('keep_ended_tasks', '0')`;
  await end(sql, "mail", 20);
  await sql`select dibs.plan_pruning()`;
  await end(sql, "mail", 1);
  await sql`select dibs.tick()`;
  // What ended since is the next plan's.
  assert.deepEqual(await left(sql), { mail: 1 });
});

testTasks("nothing more goes once somebody says that it is to stay", async ({ sql }) => {
  await sql`select dibs.configure('keep_ended_tasks', '0')`;
  await end(sql, "mail", 20);
  for (
    const change of [
      sql`select set_retention('mail')`,
      sql`select remove_retention('mail')`,
      sql`select dibs.configure('keep_ended_tasks', null)`,
    ]
  ) {
    await sql`select dibs.plan_pruning()`;
    await change;
    await sql`select dibs.tick()`;
    assert.deepEqual(await left(sql), { mail: 20 });
  }
});

testTasks("what is to stay is said between two batches, never within one", async (db) => {
  const [pruner, boss] = [db.connect(), db.connect()];
  await db.sql`select dibs.configure('keep_ended_tasks', '0')`;
  await end(db.sql, "mail", 20);
  await pruner`begin`;
  await pruner`select * from dibs.prune()`;
  const saying = await startBlocked(db.sql, boss, (sql) => sql`select set_retention('mail')`);
  await pruner`rollback`;
  await saying.done;
  assert.deepEqual(await prune(db.sql), { mail: 20 });
});

testTasks("two do not prune at once, and neither waits", async (db) => {
  const first = db.connect();
  await db.sql`select dibs.configure('keep_ended_tasks', '0')`;
  await end(db.sql, "mail", 20);
  await first`begin`;
  assert.equal((await first`select ended_tasks::int from dibs.prune()`)[0].ended_tasks, 20);
  assert.equal((await db.sql`select ended_tasks::int from dibs.prune()`)[0].ended_tasks, 0);
  await first`commit`;
  assert.deepEqual(await left(db.sql), {});
});

testTasks(
  "claims, renewals and settlements do not wait for a purge, nor it for them",
  async (db) => {
    const [pruner, worker] = [db.connect(), db.connect()];
    await db.sql`select dibs.configure('keep_ended_tasks', '0')`;
    await end(db.sql, "mail", 200);
    await enqueue(db.sql, "mail", 30);
    const [held] = await claim(db.sql, { limit: 10 });
    await worker`begin`;
    await settle(worker, held.fence, [], "succeeded");
    await pruner`begin`;
    assert.equal((await pruner`select ended_tasks::int from dibs.prune()`)[0].ended_tasks, 200);
    const next = await claim(worker, { limit: 10 });
    assert.equal(next.length, 10);
    assert.equal((await renew(worker, next[0].fence)).length, 10);
    assert.equal((await settle(worker, next[0].fence, [], "succeeded")).settled, 10);
    await worker`commit`;
    await pruner`commit`;
    assert.deepEqual(await left(db.sql), { mail: 30 });
  },
);

testTasks("types are sorted out only while nobody moves tasks by hand", async (db) => {
  const mover = db.connect();
  await enqueue(db.sql, "a", 2);
  await enqueue(db.sql, "b", 2);
  const granted = await claim(db.sql, { limit: 4 });
  await settle(
    db.sql,
    granted[0].fence,
    ids(granted).map((id) => ({
      id,
      status: "failed",
      permanent: true,
    })),
  );
  await db.sql`select set_retention('a', '1 day')`;
  await mover`begin`;
  assert.equal((await retry(mover, [granted[0].id])).length, 1);
  await prune(db.sql);
  await mover`commit`;
  assert.deepEqual(new Set(await outcomeTypes(db.sql)), new Set([""]));
  await prune(db.sql);
  assert.deepEqual(new Set(await outcomeTypes(db.sql)), new Set(["a", "b"]));
  assert.equal((await retry(db.sql, ids(granted))).length, 3);
});

testTasks("prune_tasks deletes whatever was said, once", async ({ sql }) => {
  const clock = await testClock(sql);
  await sql`select set_retention('ever')`;
  await end(sql, "ever", 3);
  await end(sql, "usual", 2);
  await clock.advance("1 day");
  await end(sql, "usual", 1);
  assert.equal((await sql`select prune_tasks('1 hour')::int as n`)[0].n, 5);
  assert.deepEqual(await left(sql), { usual: 1 });
  assert.equal((await sql`select prune_tasks('1000000 years')::int as n`)[0].n, 0);
});

Deno.test("the rules are listed, what the settings say first", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  const rules = async () => [
    ...await sql`select type, keep::text, keep_count::int from retention_rules()`,
  ];
  await sql`select dibs.configure('keep_ended_tasks', '30 days')`;
  await sql`select set_retention('b', '1 day')`;
  await sql`select set_retention('a', '1 day', 5)`;
  await sql`select set_retention('b', null, 0)`;
  assert.deepEqual(await rules(), [
    { type: null, keep: "30 days", keep_count: null },
    { type: "a", keep: "1 day", keep_count: 5 },
    { type: "b", keep: null, keep_count: 0 },
  ]);
  assert.equal((await sql`select remove_retention('b') as was`)[0].was, true);
  assert.equal((await sql`select remove_retention('b') as was`)[0].was, false);
  assert.equal((await rules()).length, 2);
});

Deno.test("what cannot be is refused, naming it", async () => {
  await using db = await freshDatabase();
  const { sql } = db;
  await assertRefused(sql`select set_retention(' ', '1 day')`, "PT400", /^p_type/);
  await assertRefused(sql`select set_retention(null)`, "PT400", /^p_type/);
  await assertRefused(sql`select set_retention('a', '-1 day')`, "PT400", /^p_keep must/);
  await assertRefused(sql`select set_retention('a', null, -1)`, "PT400", /^p_keep_count/);
  await assertRefused(sql`select remove_retention('')`, "PT400", /^p_type/);
  assert.equal((await sql`select from dibs.retention`).length, 0);
});

async function retry(sql: Sql, tasks: string[]): Promise<string[]> {
  return (await sql`select id from retry_tasks(${tasks}) id`).map(({ id }) => id);
}

/** Enqueues tasks of a type and works them off in one lease; returns their ids. */
async function end(sql: Sql, type: string, count = 1): Promise<string[]> {
  const tasks = await enqueue(sql, type, count);
  const [{ fence }] = await claim(sql, { types: [type], limit: count });
  await settle(sql, fence, [], "succeeded");
  return tasks;
}

/** Lets the hourly job run, and returns how many tasks are left of each type. */
async function prune(sql: Sql): Promise<Record<string, number>> {
  await sql`select dibs.prune()`;
  return await left(sql);
}

async function left(sql: Sql): Promise<Record<string, number>> {
  const rows = await sql`select type, count(*)::int as n from tasks group by type order by type`;
  return Object.fromEntries(rows.map(({ type, n }) => [type, n]));
}

async function outcomeTypes(sql: Sql): Promise<string[]> {
  return (await sql`select type from dibs.outcome`).map(({ type }) => type);
}
