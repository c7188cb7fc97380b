import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { contents } from "../support/contents.ts";
import { startBlocked } from "../support/locks.ts";
import {
  claim,
  enqueue,
  enqueueSingles,
  ids,
  renew,
  settle,
  statuses,
  testTasks,
} from "../support/tasks.ts";

interface Answer {
  dry_run: boolean;
  tasks: number;
  sample: string[];
  more: boolean;
}

const filterOf = (sql: Sql, filter: unknown) => sql.json(filter as never);

async function cancel(sql: Sql, filter: object, dry = false, limit = 1000): Promise<Answer> {
  const [{ answer }] = await sql`
    select cancel_tasks_where(${filterOf(sql, filter)}, ${dry}, ${limit}) as answer`;
  return answer;
}

async function retry(sql: Sql, filter: object, dry = false, limit = 1000): Promise<Answer> {
  const [{ answer }] = await sql`
    select retry_tasks_where(${filterOf(sql, filter)}, ${dry}, ${limit}) as answer`;
  return answer;
}

async function reprioritize(
  sql: Sql,
  filter: object,
  priority: number,
  dry = false,
  limit = 1000,
): Promise<Answer> {
  const [{ answer }] = await sql`
    select reprioritize_tasks_where(${
    filterOf(sql, filter)
  }, ${priority}, ${dry}, ${limit}) as answer`;
  return answer;
}

testTasks(
  "a dry run tells what would be done, and is what happens unless told otherwise",
  async ({ sql }) => {
    const tasks = await enqueue(sql, "a", 250);
    const before = await contents(sql);
    const dry = await cancel(sql, { types: ["a"] }, true);
    assert.deepEqual([dry.dry_run, dry.tasks, dry.sample.length, dry.more], [true, 250, 10, true]);
    assert.ok(dry.sample.every((id) => tasks.includes(id)));
    await sql`select cancel_tasks_where('{"types": ["a"]}'), retry_tasks_where('{"types": ["a"]}'),
    reprioritize_tasks_where('{"types": ["a"]}', 3), redrive_tasks('{"types": ["a"]}')`;
    await sql`select cancel_tasks_where('{"types": ["a"]}', null)`;
    assert.deepEqual(await contents(sql), before);
  },
);

testTasks(
  "cancelling by a filter takes what waits and what runs, and nothing else",
  async ({ sql }) => {
    const [mine, others] = [await enqueue(sql, "a", 150), await enqueue(sql, "b", 50)];
    const [{ fence }] = await claim(sql, { types: ["a"], limit: 10 });
    const half = { types: ["a"], ids: mine.filter((_, n) => n % 2 === 0) };
    const answer = await cancel(sql, half);
    assert.deepEqual([answer.dry_run, answer.tasks, answer.more], [false, 75, false]);
    assert.ok(answer.sample.length === 10 && answer.sample.every((id) => half.ids.includes(id)));
    assert.deepEqual(await statuses(sql, half.ids), Array(75).fill("cancelled"));
    assert.equal((await renew(sql, fence)).length, 5);
    assert.deepEqual(await statuses(sql, others), Array(50).fill("pending"));
    assert.deepEqual(await cancel(sql, half), {
      dry_run: false,
      tasks: 0,
      sample: [],
      more: false,
    });
  },
);

testTasks("what is to be cancelled only while it waits goes on when it runs", async ({ sql }) => {
  const tasks = await enqueue(sql, "a", 20);
  const running = ids(await claim(sql, { limit: 5 }));
  assert.equal((await cancel(sql, { statuses: ["pending"] })).tasks, 15);
  assert.deepEqual(await statuses(sql, running), Array(5).fill("processing"));
  assert.equal((await cancel(sql, { statuses: ["processing"] })).tasks, 5);
  assert.deepEqual(await statuses(sql, tasks), Array(20).fill("cancelled"));
});

testTasks("a call does no more than its limit, and says that there is more", async ({ sql }) => {
  await enqueue(sql, "a", 250);
  const answers = [];
  for (let more = true; more;) {
    const answer = await cancel(sql, { types: ["a"] }, false, 100);
    answers.push(answer.tasks);
    more = answer.more;
  }
  assert.deepEqual(answers, [100, 100, 50]);
});

testTasks("what a claim has in its hands is passed by, and told", async (db) => {
  await enqueueSingles(db.sql, "a", 3);
  const [worker, other] = [db.connect(), db.connect()];
  await worker`begin`;
  const [held] = await claim(worker);
  const answer = await cancel(db.sql, { types: ["a"] });
  assert.deepEqual([answer.tasks, answer.more], [2, true]);
  await worker`commit`;
  await other`begin`;
  await other`select from dibs.lease for update`;
  assert.deepEqual(await cancel(db.sql, { types: ["a"] }), {
    dry_run: false,
    tasks: 0,
    sample: [],
    more: true,
  });
  await other`rollback`;
  assert.equal((await cancel(db.sql, { types: ["a"] })).tasks, 1);
  assert.deepEqual(await renew(db.sql, held.fence), []);
});

testTasks("while one call is at it, claims get what is left, and other calls wait", async (db) => {
  const tasks = await enqueueSingles(db.sql, "a", 2);
  const [canceller, other] = [db.connect(), db.connect()];
  await canceller`begin`;
  await cancel(canceller, { ids: [tasks[0]] });
  assert.deepEqual(ids(await claim(db.sql, { limit: 2 })), [tasks[1]]);
  const { done } = await startBlocked(db.sql, other, (sql) => cancel(sql, { ids: tasks }));
  await canceller`commit`;
  assert.deepEqual((await done).sample, [tasks[1]]);
});

testTasks("cancelling frees unique keys", async ({ sql }) => {
  await enqueue(sql, "a", 1, { unique_key: "k" });
  await cancel(sql, { unique_key_prefix: "k" });
  await enqueue(sql, "a", 1, { unique_key: "k" });
  assert.equal((await claim(sql, { limit: 9 })).length, 1);
});

testTasks(
  "retrying by a filter gives all attempts anew, but for keys that others have",
  async ({ sql }) => {
    const failed = await enqueue(sql, "a", 30);
    const [keyed] = await enqueue(sql, "a", 1, { unique_key: "k" });
    const [{ fence }] = await claim(sql, { limit: 31 });
    const outcomes = [...failed, keyed].map((id) => ({
      id,
      status: "failed",
      permanent: true,
      error: "503",
    }));
    await settle(sql, fence, outcomes);
    await enqueue(sql, "a", 1, { unique_key: "k" });
    assert.equal((await retry(sql, { error: "503" }, true)).tasks, 30);
    assert.deepEqual((({ tasks, more }) => ({ tasks, more }))(await retry(sql, { error: "503" })), {
      tasks: 30,
      more: false,
    });
    assert.deepEqual(await statuses(sql, [keyed, failed[0], failed[29]]), [
      "failed",
      "pending",
      "pending",
    ]);
    const again = await claim(sql, { limit: 100 });
    assert.ok(again.length === 31 && again.every(({ attempt }) => attempt === 1));
  },
);

testTasks("another priority puts what waits in another lane, when due staying", async ({ sql }) => {
  const [first, later] = [
    await enqueue(sql, "a", 150),
    await enqueue(sql, "a", 1, { run_at: "2099-01-01T00:00:00Z" }),
  ];
  const [urgent] = await enqueue(sql, "b", 1, { priority: 5 });
  const [{ fence }] = await claim(sql, { types: ["a"], limit: 10 });
  const filter = { types: ["a"] };
  assert.equal((await reprioritize(sql, filter, 9, true)).tasks, 141);
  assert.deepEqual((({ tasks, more }) => [tasks, more])(await reprioritize(sql, filter, 9)), [
    141,
    false,
  ]);
  assert.equal((await reprioritize(sql, filter, 9)).tasks, 0, "once is enough");
  const [moved] = await sql`select priority, run_at from tasks where id = ${later[0]}`;
  assert.deepEqual([moved.priority, moved.run_at.getFullYear()], [9, 2099]);
  const granted = await claim(sql, { limit: 1000 });
  assert.equal(granted.length, 141);
  assert.equal(granted[0].id, urgent, "what is urgent comes first now");
  // A retry stays in the new lane, what ran meanwhile in the old one.
  await settle(sql, granted[0].fence, [], "released");
  await settle(sql, fence, [], "released");
  const rows =
    await sql`select priority, count(*)::int as n from tasks where type = 'a' group by 1 order by 1`;
  assert.deepEqual(rows.map(({ priority, n }) => [priority, n]), [[0, 10], [9, 141]]);
  assert.equal(first.length, 150);
});
