import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase, type TestDatabase } from "../support/database.ts";
import { addTasks, addThoughts } from "../support/many.ts";
import { readsOf } from "../support/reads.ts";
import { claim, enqueue, enqueueSingles, type GrantedTask, ids } from "../support/tasks.ts";
import { type Outcome, renew, settle } from "../support/tasks.ts";
import { claim as claimThoughts, claimNamed, claimNext, idsOf } from "../support/thoughts.ts";
import { makeThoughts, release, WORK } from "../support/thoughts.ts";

/** The most that a call may read, however much there is. */
interface Bound {
  rows: number;
  /** Of tables and indexes, each counted as often as it is looked at. */
  pages: number;
}

const A_FEW: Bound = { rows: 20, pages: 100 };
const A_HUNDRED: Bound = { rows: 650, pages: 5_000 };
const TEN_THOUSAND: Bound = { rows: 100_000, pages: 20_000 };

type Watch = <T>(call: () => PromiseLike<T>) => Promise<T>;

/** By name, each makes ready what it takes, then has its call watched. */
type HotCalls = Record<string, [Bound, (sql: Sql, watch: Watch) => Promise<void>]>;

/** What workers and people ask all the time. */
const HOT_CALLS: HotCalls = {
  "claim_tasks of one": [A_FEW, async (sql, watch) => {
    await enqueueSingles(sql, "a", 1);
    assert.equal((await watch(() => claim(sql))).length, 1);
  }],
  "claim_tasks of a hundred": [A_HUNDRED, async (sql, watch) => {
    await enqueue(sql, "a", 150);
    assert.equal((await watch(() => claim(sql, { limit: 100 }))).length, 100);
  }],
  "claim_tasks of a run": [A_HUNDRED, async (sql, watch) => {
    await enqueue(sql, "many", 150);
    const claimed = await watch(() => claim(sql, { types: ["many"], limit: 100 }));
    assert.equal(claimed.length, 100);
  }],
  "claim_tasks of singles with a history": [A_HUNDRED, async (sql, watch) => {
    await enqueueSingles(sql, "single", 100);
    const claimed = await watch(() => claim(sql, { types: ["single"], limit: 100 }));
    assert.equal(claimed.length, 100);
  }],
  "claim_tasks of a type that comes last": [A_FEW, async (sql, watch) => {
    await enqueueSingles(sql, "a", 1);
    assert.equal((await watch(() => claim(sql, { types: ["a"] }))).length, 1);
  }],
  "claim_tasks of three types": [A_HUNDRED, async (sql, watch) => {
    await enqueue(sql, "a", 40);
    await enqueueSingles(sql, "b", 20);
    await enqueue(sql, "c", 100);
    const claimed = await watch(() => claim(sql, { types: ["a", "b", "c"], limit: 100 }));
    assert.deepEqual([claimed.length, claimed[99].type], [100, "c"]);
  }],
  "claim_tasks when there are none": [A_FEW, async (sql, watch) => {
    assert.deepEqual(await watch(() => claim(sql, { types: ["a"], limit: 100 })), []);
    assert.deepEqual(await watch(() => claim(sql, { types: ["a", "b", "c"], limit: 100 })), []);
  }],
  "settle_and_claim_tasks of a whole lease": [A_HUNDRED, async (sql, watch) => {
    const tasks = await leaseTasks(sql);
    const next = await watch(() => settleAndClaim(sql, tasks, [], ["a"]));
    assert.deepEqual([next.settled, next.tasks.length], [100, 100]);
  }],
  "settle_and_claim_tasks with 50 named": [A_HUNDRED, async (sql, watch) => {
    const tasks = await leaseTasks(sql);
    const next = await watch(() => settleAndClaim(sql, tasks, succeeded(tasks.slice(50))));
    assert.deepEqual([next.settled, next.tasks.length], [100, 100]);
  }],
  "settle_lease, partly failed": [A_HUNDRED, async (sql, watch) => {
    const [first, ...rest] = await leaseTasks(sql);
    const answer = await watch(() => settle(sql, first.fence, failed(rest.slice(69)), "succeeded"));
    assert.equal(answer.settled, 100);
  }],
  "settle_lease of tasks with keys, tried before": [A_HUNDRED, async (sql, watch) => {
    await enqueueKeyed(sql, 100);
    const [before] = await claim(sql, { types: ["keyed"], limit: 100 });
    await sql`update dibs.lease set expires_at = now() where fence = ${before.fence}`;
    const [first, ...rest] = await claim(sql, { types: ["keyed"], limit: 100 });
    assert.equal(first.attempt, 2);
    const answer = await watch(() => settle(sql, first.fence, failed(rest.slice(69)), "succeeded"));
    assert.equal(answer.settled, 100);
  }],
  "settle_lease again": [A_HUNDRED, async (sql, watch) => {
    const [first, ...rest] = await leaseTasks(sql);
    const outcomes = [...failed(rest.slice(50)), ...succeeded(rest.slice(0, 50))];
    await settle(sql, first.fence, outcomes, "succeeded");
    const answer = await watch(() => settle(sql, first.fence, outcomes));
    assert.deepEqual(answer, { settled: 99, lost: [] });
  }],
  "effect_begin": [A_FEW, async (sql, watch) => {
    const [{ fence, id }] = await leaseTasks(sql);
    await watch(() => sql`select effect_begin(${fence}, ${id}, 'mail')`);
  }],
  "complete_with_result": [A_FEW, async (sql, watch) => {
    const [{ fence, id }] = await leaseTasks(sql);
    await watch(() => sql`select complete_with_result(${fence}, ${id}, '1')`);
  }],
  "renew_lease": [A_HUNDRED, async (sql, watch) => {
    const [{ fence, id }] = await leaseTasks(sql);
    assert.equal((await watch(() => renew(sql, fence, 60, { [id]: "half" }))).length, 100);
  }],
  "release_tasks_for_worker": [A_HUNDRED, async (sql, watch) => {
    await leaseTasks(sql);
    const [{ released }] = await watch(() =>
      sql`select release_tasks_for_worker('worker') as released`
    );
    assert.equal(released, 100);
  }],
  "cancel_tasks of one that waits": [A_FEW, async (sql, watch) => {
    const tasks = await enqueue(sql, "a", 100);
    assert.equal((await watch(() => cancel(sql, tasks.slice(50, 51)))).length, 1);
  }],
  "cancel_tasks of one that is leased": [A_FEW, async (sql, watch) => {
    const tasks = ids(await leaseTasks(sql));
    assert.equal((await watch(() => cancel(sql, tasks.slice(50, 51)))).length, 1);
  }],
  "retry_tasks of one": [A_FEW, async (sql, watch) => {
    const tasks = await enqueue(sql, "a", 100);
    await cancel(sql, tasks);
    const again = await watch(() => sql`select retry_tasks(${tasks.slice(50, 51)})`);
    assert.equal(again.length, 1);
  }],
  "enqueue_tasks with unique keys, half of them taken": [A_HUNDRED, async (sql, watch) => {
    await enqueueKeyed(sql, 50);
    const rows = await watch(() => enqueueKeyed(sql, 100));
    assert.equal(rows.filter(({ deduplicated }) => deduplicated).length, 50);
  }],
  "claim_next_thoughts that has to search": [TEN_THOUSAND, async (sql, watch) => {
    await makeThoughts(sql, 100);
    assert.equal((await watch(() => claimNext(sql, 100))).length, 100);
  }],
  "claim_next_thoughts": [A_HUNDRED, async (sql, watch) => {
    await makeThoughts(sql, 200);
    await claimNext(sql, 100);
    assert.equal((await watch(() => claimNext(sql, 100))).length, 100);
  }],
  "claim_named_thoughts": [A_HUNDRED, async (sql, watch) => {
    const thoughts = await makeThoughts(sql, 100);
    assert.equal((await watch(() => claimNamed(sql, thoughts))).length, 100);
  }],
  "claim_thoughts": [A_HUNDRED, async (sql, watch) => {
    const thoughts = await makeThoughts(sql, 100);
    assert.equal((await watch(() => claimThoughts(sql, thoughts))).length, 100);
  }],
  "settle_lease of thoughts": [A_HUNDRED, async (sql, watch) => {
    const [{ fence }, ...rest] = await claimNamed(sql, await makeThoughts(sql, 100));
    const named = idsOf(rest).map((id, n) => ({ id, status: n < 30 ? "failed" : "released" }));
    const answer = await watch(() => settle(sql, fence, named.slice(0, 60), "succeeded"));
    assert.equal(answer.settled, 100);
  }],
  "renew_lease of thoughts": [A_HUNDRED, async (sql, watch) => {
    const [{ fence }] = await claimNamed(sql, await makeThoughts(sql, 100));
    assert.equal((await watch(() => renew(sql, fence))).length, 100);
  }],
  "release_thought": [A_FEW, async (sql, watch) => {
    const [, id] = await claimThoughts(sql, await makeThoughts(sql, 100));
    assert.equal(await watch(() => release(sql, id, "succeeded")), true);
  }],
};

/** What is planned as the session that asks likes it: a view cannot say how. */
const QUERIES: HotCalls = {
  "select from tasks by id, waiting": [A_HUNDRED, async (sql, watch) => {
    const [, id] = await enqueueSingles(sql, "a", 100);
    const [task] = await watch(() => sql`select * from tasks where id = ${id}`);
    assert.equal(task.status, "pending");
  }],
  "select from tasks by id, leased": [A_HUNDRED, async (sql, watch) => {
    const [, { id }] = await leaseTasks(sql);
    const [task] = await watch(() => sql`select * from tasks where id = ${id}`);
    assert.equal(task.status, "processing");
  }],
};

for (
  const [statistics, sizes] of [
    ["there are none", [0, 3_000, 50_000, 1_000_000]],
    ["they are of empty tables", [0, 3_000, 50_000]],
  ] as const
) {
  Deno.test(`no hot call reads more when there is more; of statistics ${statistics}`, async () => {
    await using db = await freshDatabase();
    const admin = db.as("supabase_admin");
    await keepStatistics(admin);
    if (statistics !== "there are none") await admin`vacuum analyze`;
    const planned = await openSession(db);
    const tooMuch: string[] = [];
    let before = 0;
    for (const size of sizes) {
      await Promise.all([
        addTasks(admin, size - before),
        addThoughts(db.as("supabase_admin"), before, size - before),
      ]);
      before = size;
      const sessions = { "opened when empty": planned, "just opened": await openSession(db) };
      tooMuch.push(...await findTooMuch(sessions, HOT_CALLS, `at ${size}`));
      if (statistics === "there are none") {
        tooMuch.push(...await findTooMuch(sessions, QUERIES, `at ${size}`));
      }
    }
    await admin`analyze`;
    const sessions = { "opened when empty": planned, "just opened": await openSession(db) };
    const all = { ...HOT_CALLS, ...QUERIES };
    tooMuch.push(...await findTooMuch(sessions, all, `at ${before}, analyzed`));
    assert.deepEqual(tooMuch, []);
  });
}

/** Statistics, and with them plans, change when a test says so only. */
async function keepStatistics(admin: Sql): Promise<void> {
  await admin`
    do $$ declare t regclass; begin
      for t in select relid from pg_stat_user_tables where schemaname in ('dibs', 'public') loop
        execute format('alter table %s set (autovacuum_enabled = false)', t);
      end loop;
    end $$`;
}

/**
 * A connection that keeps every plan it made, as one does that has made it often. Before all else it
 * reads and writes tables without a call: what it planned for that must not serve its calls.
 */
async function openSession(db: TestDatabase): Promise<Sql> {
  const sql = db.connect();
  await sql`set plan_cache_mode = force_generic_plan`;
  await sql`begin`;
  const [task] = await enqueue(sql, "a");
  await sql`select * from tasks where id = ${task}`;
  await sql`insert into dibs.thought_pass (work_type) values (${WORK}) on conflict do nothing`;
  const [thought] = await makeThoughts(sql, 1);
  await sql`insert into thought_work_claims values (${thought}, ${WORK}, 'worker', now(), now())`;
  await sql`delete from thought_work_claims where thought_id = ${thought}`;
  await sql`rollback`;
  return sql;
}

/** Makes every hot call on every session, and takes it back. Returns those that read too much. */
async function findTooMuch(
  sessions: Record<string, Sql>,
  calls: HotCalls,
  when: string,
): Promise<string[]> {
  const tooMuch: string[] = [];
  for (const [session, sql] of Object.entries(sessions)) {
    for (const [name, [bound, work]] of Object.entries(calls)) {
      await sql`begin`;
      try {
        await work(sql, async (call) => {
          const { rows, pages, scanned, answer } = await readsOf(sql, call);
          if (rows > bound.rows || pages > bound.pages || scanned.length > 0) {
            tooMuch.push(
              `${when}, ${session}: ${name}: ${rows} rows, ${pages} pages, all of ${
                scanned.join(", ") || "no table"
              }`,
            );
          }
          return answer;
        });
      } finally {
        await sql`rollback`;
      }
    }
  }
  return tooMuch;
}

/** A hundred tasks, leased; a hundred more wait. */
async function leaseTasks(sql: Sql): Promise<GrantedTask[]> {
  await enqueue(sql, "a", 200);
  return await claim(sql, { types: ["a"], limit: 100 });
}

async function enqueueKeyed(sql: Sql, count: number) {
  const tasks = Array.from({ length: count }, (_, n) => ({ type: "keyed", unique_key: `${n}` }));
  return await sql`select * from enqueue_tasks(${sql.json(tasks)})`;
}

async function settleAndClaim(
  sql: Sql,
  [{ fence }]: GrantedTask[],
  outcomes: Outcome[],
  types: string[] | null = null,
) {
  const [{ answer }] = await sql`
    select settle_and_claim_tasks(
      ${fence}, ${sql.json(outcomes as never)}, 'succeeded', 'worker', ${types}, 100) as answer`;
  return answer;
}

const cancel = (sql: Sql, tasks: string[]) => sql`select cancel_tasks(${tasks})`;

const succeeded = (tasks: { id: string }[]): Outcome[] =>
  tasks.map(({ id }) => ({ id, status: "succeeded", result: {} }));

const failed = (tasks: { id: string }[]): Outcome[] =>
  tasks.map(({ id }) => ({ id, status: "failed", error: "no luck" }));
