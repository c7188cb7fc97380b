import assert from "node:assert/strict";
import { contents } from "../support/contents.ts";
import { startBlocked } from "../support/locks.ts";
import {
  assertRefused,
  claim,
  enqueue,
  enqueueSingles,
  ids,
  settle,
  statuses,
  testTasks,
} from "../support/tasks.ts";

testTasks(
  "create_task returns the id of a pending task with what it was given",
  async ({ sql }) => {
    const [{ id }] = await sql`
    select create_task('email', '{"to": "a@example.org"}', 3, '2099-01-01', 2, 'welcome-a') as id`;
    const [task] = await sql`select * from tasks where id = ${id}`;
    assert.equal(task.type, "email");
    assert.deepEqual(task.payload, { to: "a@example.org" });
    assert.equal(task.status, "pending");
    assert.equal(task.priority, 3);
    assert.equal(task.run_at.toISOString(), "2099-01-01T00:00:00.000Z");
    assert.equal(task.max_attempts, 2);
    assert.equal(task.unique_key, "welcome-a");
    assert.equal(task.attempts, 0);
  },
);

testTasks("create_task takes a type alone, and a payload of null for none", async ({ sql }) => {
  const [{ bare, none }] =
    await sql`select create_task('a') as bare, create_task('a', null) as none`;
  const rows = await sql`select payload from tasks where id in (${bare}, ${none})`;
  assert.deepEqual(rows.map(({ payload }) => payload), [{}, {}]);
});

testTasks(
  "enqueue_tasks answers in the order given, however the tasks are stored",
  async ({ sql }) => {
    const tasks = Array.from({ length: 500 }, (_, n) => ({
      type: `type-${n % 3}`,
      payload: { n },
      priority: n % 2,
      ...(n % 7 === 0 ? { unique_key: `key-${500 - n}` } : {}),
      ...(n % 11 === 0 ? { run_at: `2099-01-0${1 + n % 5}T00:00:00Z` } : {}),
    }));
    const rows = await sql`select * from enqueue_tasks(${sql.json(tasks)})`;
    const stored = await sql`select id, type, payload, priority from tasks`;
    const byId = new Map(stored.map((task) => [task.id, task]));
    assert.equal(byId.size, 500);
    for (const [n, { id, deduplicated }] of rows.entries()) {
      const { type, payload, priority } = byId.get(id)!;
      assert.deepEqual({ type, payload, priority }, {
        type: tasks[n].type,
        payload: { n },
        priority: tasks[n].priority,
      });
      assert.equal(deduplicated, false);
    }
  },
);

testTasks("1000 tasks enqueued together are stored as ten runs", async ({ sql }) => {
  await enqueue(sql, "bulk", 1000);
  const runs = await sql`select upper(run) - lower(run) as length from dibs.ready`;
  assert.deepEqual(runs.map(({ length }) => length), Array(10).fill("100"));
});

testTasks("ids sort in the order the tasks were enqueued", async ({ sql }) => {
  const singles = await enqueueSingles(sql, "single", 300);
  assert.deepEqual(singles, singles.toSorted());
  const bulk = await enqueue(sql, "bulk", 300);
  assert.deepEqual(bulk, bulk.toSorted());
});

testTasks("a run_at in the past is due now, and does not jump the queue", async ({ sql }) => {
  const [first] = await enqueueSingles(sql, "a", 1);
  const [late] = await enqueue(sql, "a", 1, { run_at: "2001-01-01T00:00:00Z" });
  assert.deepEqual(ids(await claim(sql)), [first]);
  assert.deepEqual(ids(await claim(sql)), [late]);
});

testTasks("a task with a unique key that is taken is not enqueued again", async ({ sql }) => {
  const [{ first, second, other }] = await sql`
    select create_task('a', p_unique_key => 'k') as first, create_task('a', p_unique_key => 'k') as second,
      create_task('b', p_unique_key => 'k') as other`;
  assert.equal(second, first);
  assert.notEqual(other, first);
  const rows = await sql`select * from enqueue_tasks('[
    {"type": "a", "unique_key": "k"}, {"type": "a", "unique_key": "new"}, {"type": "a", "unique_key": "new"}]')`;
  assert.deepEqual(rows.map(({ deduplicated }) => deduplicated), [true, false, true]);
  assert.equal(rows[0].id, first);
  assert.equal(rows[2].id, rows[1].id);
});

testTasks("a unique key is free again once its task ended in any way", async ({ sql }) => {
  const ends = {
    completed: async (fence: string) => await settle(sql, fence, [], "succeeded"),
    failed: async (fence: string, id: string) =>
      await settle(sql, fence, [{ id, status: "failed", permanent: true }]),
    cancelled: async (_: string, id: string) =>
      await sql`select cancel_tasks(array[${id}]::uuid[])`,
    gone: async (_: string, id: string) => await sql`delete from tasks where id = ${id}`,
  };
  for (const [status, end] of Object.entries(ends)) {
    const [first] = await enqueue(sql, "a", 1, { unique_key: "k" });
    const [granted] = await claim(sql);
    assert.equal(
      (await enqueue(sql, "a", 1, { unique_key: "k" }))[0],
      first,
      "while it is worked on",
    );
    await end(granted.fence, first);
    assert.deepEqual(await statuses(sql, [first]), [status]);
    const [next] = await enqueue(sql, "a", 1, { unique_key: "k" });
    assert.notEqual(next, first, `after it is ${status}`);
    await sql`delete from tasks where id = ${next}`;
  }
});

testTasks(
  "of two who enqueue the same unique key at once, one makes the task and both get its id",
  async (db) => {
    const [a, b] = [db.connect(), db.connect()];
    await a`begin`;
    const [mine] = await a`select create_task('a', p_unique_key => 'k') as id`;
    const waiting = await startBlocked(
      db.sql,
      b,
      (b) => b`select * from enqueue_tasks('[{"type": "a", "unique_key": "k"}]')`,
    );
    await a`commit`;
    const [theirs] = await waiting.done;
    assert.deepEqual({ ...theirs }, { id: mine.id, deduplicated: true, replaced: false });
  },
);

testTasks("who waits for a unique key gets it when the other rolls back", async (db) => {
  const [a, b] = [db.connect(), db.connect()];
  await a`begin`;
  await a`select create_task('a', p_unique_key => 'k')`;
  const waiting = await startBlocked(
    db.sql,
    b,
    (b) => b`select * from enqueue_tasks('[{"type": "a", "unique_key": "k"}]')`,
  );
  await a`rollback`;
  const [theirs] = await waiting.done;
  assert.equal(theirs.deduplicated, false);
  assert.deepEqual(await statuses(db.sql, [theirs.id]), ["pending"]);
});

testTasks("an enqueue that waits for the end of a key's task makes a new one", async (db) => {
  const [a, b] = [db.connect(), db.connect()];
  const [first] = await enqueue(db.sql, "a", 1, { unique_key: "k" });
  const [{ fence }] = await claim(db.sql);
  await a`begin`;
  await settle(a, fence, [], "succeeded");
  const waiting = await startBlocked(db.sql, b, (b) => enqueue(b, "a", 1, { unique_key: "k" }));
  await a`commit`;
  const [next] = await waiting.done;
  assert.notEqual(next, first);
  assert.deepEqual(await statuses(db.sql, [first, next]), ["completed", "pending"]);
});

/** Batches that begin at opposite ends; a third connection makes the first one stop half-way. */
const OPPOSITE = {
  keys: [
    [{ type: "a", unique_key: "k1" }, { type: "a", unique_key: "k2" }, {
      type: "a",
      unique_key: "k3",
    }],
    [{ type: "a", unique_key: "k3" }, { type: "a", unique_key: "k2" }, {
      type: "a",
      unique_key: "k1",
    }],
  ],
  lanes: [
    [{ type: "a", unique_key: "k1", priority: 1 }, { type: "a", unique_key: "k2" }, {
      type: "a",
      unique_key: "k3",
      priority: 2,
    }],
    [{ type: "a", unique_key: "k1-", priority: 2 }, { type: "a", unique_key: "k2-", priority: 3 }, {
      type: "a",
      unique_key: "k3-",
      priority: 1,
    }],
  ],
};
for (const [what, [one, other]] of Object.entries(OPPOSITE)) {
  testTasks(`two batches with the same ${what} in opposite order do not deadlock`, async (db) => {
    const [a, b, gate] = [db.connect(), db.connect(), db.connect()];
    await gate`begin`;
    await gate`select create_task('a', p_unique_key => 'k2')`;
    const first = await startBlocked(
      db.sql,
      a,
      (a) => a`select * from enqueue_tasks(${a.json(one)})`,
    );
    const second = await startBlocked(
      db.sql,
      b,
      (b) => b`select * from enqueue_tasks(${b.json(other)})`,
      { orEnds: true },
    );
    await gate`rollback`;
    const rows = [...await first.done, ...await second.done];
    assert.equal(new Set(ids(rows as unknown as { id: string }[])).size, what === "keys" ? 3 : 6);
  });
}

testTasks(
  "a batch and a single task with the same key in a new lane do not deadlock",
  async (db) => {
    const [a, b, gate] = [db.connect(), db.connect(), db.connect()];
    await gate`begin`;
    await gate`select create_task('a', p_priority => 9, p_unique_key => 'k1')`;
    // The batch waits for k1 and has made whatever it makes before that.
    const batch = [{ type: "a", unique_key: "k1" }, { type: "a", unique_key: "k2" }];
    const first = await startBlocked(
      db.sql,
      a,
      (a) => a`select * from enqueue_tasks(${a.json(batch)})`,
    );
    const second = b`select create_task('a', p_unique_key => 'k2') as id`.execute();
    await gate`rollback`;
    const [, k2] = await first.done;
    assert.equal((await second)[0].id, k2.id);
  },
);

testTasks("a repeated request id enqueues nothing and is answered the same", async ({ sql }) => {
  const request = (tasks: object[], id: string) =>
    sql`select * from enqueue_tasks(${sql.json(tasks as never)}, ${id})`;
  const first = await request([{ type: "a" }, { type: "b" }], "request-1");
  const before = await contents(sql);
  assert.deepEqual([...await request([{ type: "a" }, { type: "b" }], "request-1")], [...first]);
  assert.deepEqual(await contents(sql), before);
  assert.equal((await request([{ type: "a" }], "request-2")).length, 1);
  assert.equal((await sql`select from tasks`).length, 3);
});

testTasks("a repeat that comes while the request still runs waits for its answer", async (db) => {
  const [a, b] = [db.connect(), db.connect()];
  await a`begin`;
  const first = await a`select * from enqueue_tasks('[{"type": "a"}]', 'request')`;
  const waiting = await startBlocked(
    db.sql,
    b,
    (b) => b`select * from enqueue_tasks('[{"type": "a"}]', 'request')`,
  );
  await a`commit`;
  assert.deepEqual([...await waiting.done], [...first]);
  assert.equal((await db.sql`select from tasks`).length, 1);
});

testTasks("a request id is good for one verb only", async ({ sql }) => {
  await sql`select * from enqueue_tasks('[{"type": "a"}]', 'request')`;
  const before = await contents(sql);
  await assertRefused(
    claim(sql, { requestId: "request" }),
    "PT409",
    /^p_request_id .*enqueue_tasks/,
  );
  assert.deepEqual(await contents(sql), before);
});
