// On PostgreSQL 15, too.
import { delay } from "@std/async/delay";
import assert from "node:assert/strict";
import type { Sql } from "postgres";
import type { TestDatabase } from "../support/database.ts";
import { testClock } from "../support/clock.ts";
import {
  claim,
  enqueue,
  enqueueSingles,
  type GrantedTask,
  ids,
  type Outcome,
  settle,
  testTasks,
} from "../support/tasks.ts";

const WORKERS = 16;
const MAX_ATTEMPTS = 3;

/** What the workers saw, kept by themselves: Dibs's own tables are what is on trial. */
class Book {
  /** Who has been granted a task last, as far as any worker has heard. */
  private readonly newestFence = new Map<string, number>();
  readonly accepted = new Map<string, { fence: number; status: string }[]>();
  readonly cancelled = new Set<string>();
  late = 0;

  granted(tasks: { id: string }[], fence: string) {
    for (const { id } of tasks) {
      const before = this.newestFence.get(id) ?? 0;
      // Answers may arrive in another order than the grants were made.
      this.newestFence.set(id, Math.max(before, Number(fence)));
      assert.notEqual(before, Number(fence), `${id} was granted twice under fence ${fence}`);
    }
  }

  /** Call it before the settlement is sent: what is late now must be refused. */
  expectLost(outcomes: Outcome[], fence: string): Set<string> {
    return new Set(ids(outcomes).filter((id) => this.newestFence.get(id)! > Number(fence)));
  }

  settled(outcomes: Outcome[], fence: string, lost: string[], expected: Set<string>) {
    for (const { id, status } of outcomes) {
      if (lost.includes(id)) {
        this.late++;
        continue;
      }
      assert.ok(!expected.has(id), `a late ${status} of ${id} by fence ${fence} was accepted`);
      const before = this.accepted.get(id) ?? [];
      assert.ok(!before.some((b) => b.fence === Number(fence)), `${id}: two outcomes of one grant`);
      this.accepted.set(id, [...before, { fence: Number(fence), status }]);
    }
  }

  /** How a task must have ended, by what was accepted from its workers. */
  end(id: string): string {
    const statuses = (this.accepted.get(id) ?? []).map(({ status }) => status);
    assert.ok(statuses.filter((status) => status === "succeeded").length <= 1, `${id} twice`);
    const failures = statuses.filter((status) => status === "failed").length;
    assert.ok(failures <= MAX_ATTEMPTS, `${id} failed ${failures} times`);
    if (this.cancelled.has(id)) {
      assert.ok(!statuses.includes("succeeded"), `${id} succeeded and was cancelled`);
      return "cancelled";
    }
    if (statuses.includes("succeeded")) return "completed";
    return failures === MAX_ATTEMPTS ? "failed" : "unfinished";
  }
}

const pick = <T>(list: T[]): T => list[Math.floor(Math.random() * list.length)];

function chooseOutcome(id: string): Outcome {
  const dice = Math.random();
  if (dice < 0.15) return { id, status: "failed", error: "by chance" };
  if (dice < 0.25) return { id, status: "released" };
  return { id, status: "succeeded", result: { by: id } };
}

async function work(sql: Sql, worker: string, book: Book, isOver: () => boolean) {
  let next: GrantedTask[] = [];
  while (!isOver()) {
    const tasks = next.length > 0
      ? next
      : await claim(sql, { worker, limit: pick([1, 7, 100]), seconds: 5 });
    next = [];
    if (tasks.length === 0) {
      await delay(20);
      continue;
    }
    const { fence } = tasks[0];
    book.granted(tasks, fence);
    if (Math.random() < 0.1) await delay(400); // long enough for the lease to be lost
    const outcomes = tasks.map(({ id }) => chooseOutcome(id));
    if (Math.random() < 0.3) {
      const part = outcomes.splice(0, Math.ceil(outcomes.length / 2));
      const expected = book.expectLost(part, fence);
      book.settled(part, fence, (await settle(sql, fence, part)).lost, expected);
    }
    const expected = book.expectLost(outcomes, fence);
    if (Math.random() < 0.5) {
      book.settled(outcomes, fence, (await settle(sql, fence, outcomes)).lost, expected);
    } else {
      const [{ answer }] = await sql`
        select settle_and_claim_tasks(
          ${fence}, ${sql.json(outcomes as never)}, null, ${worker}, null, ${
        pick([1, 7, 100])
      }, 5) as answer`;
      book.settled(outcomes, fence, answer.lost, expected);
      next = answer.tasks.map((task: GrantedTask) => ({ ...task, fence: answer.fence }));
    }
  }
  if (next.length > 0) book.granted(next, next[0].fence);
  await sql`select release_tasks_for_worker(${worker})`;
}

async function cancelSome(sql: Sql, tasks: string[], book: Book, isOver: () => boolean) {
  while (!isOver()) {
    const chosen = [pick(tasks), pick(tasks), pick(tasks)];
    const rows = await sql`select id from cancel_tasks(${chosen}) id`;
    for (const { id } of rows) book.cancelled.add(id);
    await delay(150);
  }
}

const deadlocks = async ({ sql }: TestDatabase) => {
  const [row] = await sql`
    select deadlocks::int from pg_stat_database where datname = current_database()`;
  return row.deadlocks;
};

testTasks(
  "many workers that fail, hand back, lose leases and are late end each task exactly once",
  async (db) => {
    const clock = await testClock(db.sql);
    const book = new Book();
    await db.sql`update dibs.settings set max_losses = 1000 where true`;
    const tasks = [
      ...await enqueue(db.sql, "bulk", 1000, { max_attempts: MAX_ATTEMPTS }),
      ...await enqueue(db.sql, "urgent", 300, { max_attempts: MAX_ATTEMPTS, priority: -1 }),
    ];
    const singles = await enqueueSingles(db.sql, "single", 200);
    let over = false;
    const isOver = () => over;
    const working = Promise.all([
      ...Array.from({ length: WORKERS }, (_, n) => work(db.connect(), `worker-${n}`, book, isOver)),
      cancelSome(db.connect(), tasks, book, isOver),
    ]);
    working.catch(() => over = true);
    const unfinished = async () => {
      const [{ n }] = await db.sql`
      select sum(tasks)::int as n from task_counts() where status in ('pending', 'processing')`;
      return n;
    };
    const end = Date.now() + 60_000;
    try {
      do {
        await delay(100);
        await clock.advance("2 s");
      } while (!over && await unfinished() > 0 && Date.now() < end);
    } finally {
      over = true;
      await working;
    }

    assert.equal(await deadlocks(db), 0);
    const rows = await db.sql`select id, status from tasks`;
    const byId = new Map(rows.map(({ id, status }) => [id, status]));
    for (const id of tasks) assert.equal(byId.get(id), book.end(id), id);
    for (const id of singles) {
      // These have five attempts; what a worker said of them is in the book all the same.
      const succeeded = book.accepted.get(id)?.some(({ status }) => status === "succeeded");
      assert.equal(byId.get(id), succeeded ? "completed" : "failed", id);
    }
    assert.ok(book.late > 0, "no lease was lost: this run proves little");
    const [{ results }] = await db.sql`
    select count(*)::int as results from tasks where status = 'completed' and result ->> 'by' <> id::text`;
    assert.equal(results, 0);
  },
);
