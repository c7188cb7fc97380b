import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { claim, ids, type Outcome, settle, testTasks } from "../support/tasks.ts";

const WORKERS = 8;
const TASKS = 600;

const pick = <T>(list: T[]): T => list[Math.floor(Math.random() * list.length)];

// Random, where dependents_races_test.ts forces: what nobody thought of to force.
testTasks(
  "many that enqueue, end and cancel tasks that depend on each other forget none",
  async (db) => {
    const known: string[] = [];
    let enqueued = 0;
    const enqueue = async (sql: Sql) => {
      while (enqueued < TASKS) {
        const tasks = Array.from({ length: 10 }, (_, place) => ({
          type: "a",
          max_attempts: 1,
          depends_mode: pick(["all", "any"]),
          on_parent_failure: pick(["cancel", "run"]),
          depends_on: [
            ...place > 0 && Math.random() < 0.5 ? [Math.floor(Math.random() * place)] : [],
            ...known.length > 0 ? [pick(known.slice(-30)), pick(known.slice(-30))] : [],
          ],
        }));
        enqueued += tasks.length;
        known.push(
          ...ids([
            ...await sql<{ id: string }[]>`select id from enqueue_tasks(${sql.json(tasks)})`,
          ]),
        );
      }
    };
    const unfinished = async (sql: Sql) => {
      const [{ n }] = await sql`
      select sum(tasks)::int as n from task_counts() where status in ('pending', 'processing')`;
      return n;
    };
    const work = async (sql: Sql) => {
      while (enqueued < TASKS || await unfinished(sql) > 0) {
        const granted = await claim(sql, { limit: pick([1, 3, 10]), seconds: 600 });
        if (granted.length === 0) continue;
        const outcomes: Outcome[] = granted.map(({ id }) => ({
          id,
          status: pick(["succeeded", "succeeded", "succeeded", "failed", "released"]),
        }));
        await settle(sql, granted[0].fence, outcomes);
        if (Math.random() < 0.1) await sql`select cancel_tasks(${[pick(known), pick(known)]})`;
      }
    };
    await Promise.all([
      enqueue(db.connect()),
      enqueue(db.connect()),
      ...Array.from({ length: WORKERS }, () => work(db.connect())),
    ]);
    const [{ deadlocks }] = await db.sql`
    select deadlocks::int from pg_stat_database where datname = current_database()`;
    assert.equal(deadlocks, 0);
  },
);
