import assert from "node:assert/strict";
import { testClock } from "../support/clock.ts";
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

testTasks(
  "lost leases are no failures, but too many of them end a task as poison",
  async ({ sql }) => {
    const clock = await testClock(sql);
    await sql`update dibs.settings set max_losses = 3 where true`;
    const [id, other] = await enqueue(sql, "a", 2, { max_attempts: 1, unique_key: null });
    for (let n = 1; n <= 3; n++) {
      assert.deepEqual(await statuses(sql, [id]), ["pending"]);
      const [task] = await claim(sql, { seconds: 1, limit: n === 1 ? 1 : 2 });
      assert.equal(task.attempt, n);
      await clock.advance("2 s");
      await sql`select reap_tasks()`;
    }
    assert.deepEqual(await statuses(sql, [id, other]), ["failed", "pending"]);
    const history = await sql`select outcome, error from task_attempts(${id})`;
    assert.deepEqual(history.map(({ outcome }) => outcome), ["lost", "lost", "lost"]);
    assert.match(history[2].error, /lease/);
  },
);

testTasks("reaping takes back expired leases only, and waits for nobody", async (db) => {
  const clock = await testClock(db.sql);
  await enqueueSingles(db.sql, "a", 30);
  const [expired] = await claim(db.sql, { limit: 10, seconds: 1 });
  const [renewed] = await claim(db.sql, { limit: 10, seconds: 1 });
  const [held] = await claim(db.sql, { limit: 10, seconds: 1 });
  await renew(db.sql, renewed.fence, 60);
  await clock.advance("2 s");
  const settling = db.connect();
  await settling`begin`;
  await settle(settling, held.fence, [{ id: held.id, status: "succeeded" }]);
  const [{ reaped }] = await db.sql`select reap_tasks() as reaped`;
  assert.equal(reaped, 10);
  await settling`commit`;
  assert.equal((await settle(db.sql, expired.fence, [], "succeeded")).settled, 0);
  assert.equal((await settle(db.sql, renewed.fence, [], "succeeded")).settled, 10);
  const [{ again }] = await db.sql`select reap_tasks() as again`;
  assert.equal(again, 9);
});

testTasks(
  "tasks that lose their workers go apart from others, ever fewer together",
  async ({ sql }) => {
    const clock = await testClock(sql);
    const suspects = await enqueue(sql, "a", 20);
    const losses = async () => {
      const rows = await sql`
      select (select count(*)::int from task_attempts(id) where outcome = 'lost') as lost from tasks
      where id = any (${suspects}) order by id`;
      return rows.map(({ lost }) => lost);
    };
    const loseAll = async () => {
      await clock.advance("2 s");
      await sql`select reap_tasks()`;
      await clock.advance("2 s");
    };
    const take = async () => ids(await claim(sql, { seconds: 1, limit: 50 }));
    for (let n = 1; n <= 2; n++) {
      assert.equal((await take()).length, 20);
      await loseAll();
    }
    const others = await enqueue(sql, "a", 3);
    assert.deepEqual(await take(), suspects.slice(0, 16));
    assert.deepEqual(await take(), suspects.slice(16));
    assert.deepEqual(await take(), others);

    await loseAll();
    assert.deepEqual(await take(), suspects.slice(0, 4));
    await loseAll();
    assert.deepEqual(await losses(), [...Array(4).fill(4), ...Array(16).fill(3)]);
    assert.deepEqual(await take(), suspects.slice(0, 1));
    assert.deepEqual(await take(), suspects.slice(1, 2));
  },
);

testTasks("what a dead worker held keeps its place before younger tasks", async ({ sql }) => {
  const clock = await testClock(sql);
  const [old] = await enqueue(sql, "a");
  await claim(sql, { seconds: 1 });
  await clock.advance("2 s");
  await enqueue(sql, "a", 3);
  await sql`select reap_tasks()`;
  assert.deepEqual(ids(await claim(sql, { limit: 1 })), [old]);
});

testTasks("of a batch that went back, one claim after the other gets the next", async ({ sql }) => {
  const clock = await testClock(sql, { stopped: true });
  const old = await enqueue(sql, "a", 3);
  const [{ fence }] = await claim(sql, { limit: 3, seconds: 600 });
  await clock.advance("1 min");
  await enqueue(sql, "a", 10);
  // Claims that learn where the younger ones begin.
  for (let n = 0; n < 3; n++) {
    await claim(sql);
    await clock.advance("150 ms");
  }
  await settle(sql, fence, [], "released");
  await clock.advance("2 s");
  const again = [await claim(sql), await claim(sql), await claim(sql)].flat();
  assert.deepEqual(ids(again), old);
});
