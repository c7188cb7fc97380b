import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { testClock } from "../support/clock.ts";
import { freshDatabase } from "../support/database.ts";
import { assertRefused, claim, settle, statuses, testTasks } from "../support/tasks.ts";

interface Enqueued {
  id: string;
  deduplicated: boolean;
  replaced: boolean;
}

/** Enqueues tasks of type `a` with the key `k`, unless they say otherwise. */
async function put(sql: Sql, ...tasks: object[]): Promise<Enqueued[]> {
  const items = tasks.map((task) => ({ type: "a", unique_key: "k", ...task }));
  return [...await sql<Enqueued[]>`select * from enqueue_tasks(${sql.json(items as never)})`];
}

const stored = async (sql: Sql, id: string) => (await sql`select * from tasks where id = ${id}`)[0];

testTasks("a key that is taken rejects the whole call, naming the task", async ({ sql }) => {
  const [{ id }] = await put(sql, {});
  const mode = { unique_mode: "reject" };
  await assertRefused(put(sql, { unique_key: "other" }, mode), "PT409", new RegExp(id));
  await assertRefused(
    sql`select create_task('a', p_unique_key => 'k', p_options => ${sql.json(mode)})`,
    "PT409",
    new RegExp(id),
  );
  assert.equal((await sql`select from tasks`).length, 1);
  await assertRefused(
    put(sql, { unique_key: "new", ...mode }, { unique_key: "new", ...mode }),
    "PT409",
    /taken/,
  );
});

testTasks("replace puts the new task in the place of the pending one", async ({ sql }) => {
  const [{ id }] = await put(sql, { payload: { old: 1 }, max_attempts: 9 });
  const created = (await stored(sql, id)).created_at;
  const replacing = {
    unique_mode: "replace",
    payload: { new: 1 },
    priority: 7,
    run_at: "2099-01-01T00:00:00Z",
    max_attempts: 2,
  };
  assert.deepEqual(await put(sql, replacing), [{ id, deduplicated: true, replaced: true }]);
  const task = await stored(sql, id);
  assert.deepEqual(task.payload, { new: 1 });
  assert.deepEqual([task.priority, task.max_attempts, task.created_at], [7, 2, created]);
  assert.equal(task.run_at.toISOString(), "2099-01-01T00:00:00.000Z");
  assert.deepEqual(await claim(sql), [], "it is not due any more");
});

testTasks("a task that is being worked on is left alone and returned", async ({ sql }) => {
  const [{ id }] = await put(sql, { payload: "old" });
  await claim(sql);
  for (const unique_mode of ["replace", "debounce"]) {
    const answer = await put(sql, { unique_mode, payload: "new" });
    assert.deepEqual(answer, [{ id, deduplicated: true, replaced: false }]);
  }
  assert.equal((await stored(sql, id)).payload, "old");
});

testTasks("debounce moves the moment and takes the payload, and nothing else", async ({ sql }) => {
  const debounce = { unique_mode: "debounce" };
  const [{ id }] = await put(sql, {
    ...debounce,
    payload: { a: 1, b: 1 },
    priority: 3,
    run_at: "2098-01-01T00:00:00Z",
  });
  await put(sql, {
    ...debounce,
    payload: { b: 2 },
    unique_merge: true,
    run_at: "2099-01-01T00:00:00Z",
  });
  const merged = await stored(sql, id);
  assert.deepEqual(merged.payload, { a: 1, b: 2 });
  assert.equal(merged.run_at.toISOString(), "2099-01-01T00:00:00.000Z");
  await put(sql, { ...debounce, payload: { c: 3 }, priority: 9, max_attempts: 1 });
  const replaced = await stored(sql, id);
  assert.deepEqual(replaced.payload, { c: 3 });
  assert.deepEqual([replaced.priority, replaced.max_attempts], [3, 5]);
  assert.deepEqual((await claim(sql)).map((task) => task.payload), [{ c: 3 }]);
});

testTasks("what is replaced while it waits for a retry keeps its attempts", async ({ sql }) => {
  const [{ id }] = await put(sql, {});
  const [{ fence }] = await claim(sql);
  await settle(sql, fence, [{ id, status: "failed", error: "no" }]);
  await put(sql, { unique_mode: "replace", payload: "new" });
  const [again] = await claim(sql);
  assert.deepEqual([again.id, again.attempt, again.payload], [id, 2, "new"]);
});

testTasks("with the scope pending a second task may wait while the first runs", async ({ sql }) => {
  const scope = { unique_scope: "pending" };
  const [first] = await put(sql, scope);
  assert.equal((await put(sql, scope))[0].id, first.id);
  const [{ fence }] = await claim(sql);
  const [second] = await put(sql, scope);
  assert.equal(second.deduplicated, false);
  assert.equal((await put(sql, scope))[0].id, second.id);
  assert.equal((await stored(sql, first.id)).unique_key, null, "the first gave the key up");
  await settle(sql, fence, [], "succeeded");
  assert.equal((await put(sql, {}))[0].id, second.id, "the end of the first frees no key");
});

testTasks("within a window the key stays taken, however its task ended", async ({ sql }) => {
  const clock = await testClock(sql, { stopped: true });
  const window = { unique_seconds: 60 };
  for (const status of ["succeeded", "failed"]) {
    const [{ id }] = await put(sql, window);
    const [{ fence }] = await claim(sql);
    await settle(sql, fence, [{ id, status, permanent: true }]);
    assert.deepEqual(await put(sql, { ...window, unique_mode: "replace" }), [
      { id, deduplicated: true, replaced: false },
    ]);
    await clock.advance("61 s");
  }
  const [{ id }] = await put(sql, window);
  await clock.advance("61 s");
  assert.equal((await put(sql, window))[0].id, id, "nor does it end before its task has");
  await sql`select cancel_tasks(array[${id}]::uuid[])`;
  assert.equal((await put(sql, {}))[0].deduplicated, false);
});

testTasks("cancelling frees a key whose window has not passed", async ({ sql }) => {
  const [{ id }] = await put(sql, { unique_seconds: 60 });
  await sql`select cancel_tasks(array[${id}]::uuid[])`;
  assert.equal((await put(sql, { unique_seconds: 60 }))[0].deduplicated, false);
});

testTasks("a list may replace many, each once, and name one of them twice", async ({ sql }) => {
  const keys = Array.from({ length: 300 }, (_, n) => ({ unique_key: `${n}` }));
  const first = await put(sql, ...keys);
  const changed = keys.toReversed().map((key, n) => ({
    ...key,
    unique_mode: "replace",
    payload: n,
  }));
  const second = await put(sql, ...changed, changed[0]);
  assert.ok(second.every(({ replaced }) => replaced));
  assert.deepEqual(
    second.slice(0, 300).map(({ id }) => id),
    first.map(({ id }) => id).toReversed(),
  );
  const [{ n }] = await sql`select count(*)::int as n from tasks`;
  assert.equal(n, 300);
});

testTasks("a repeated request is answered as before, with what was replaced", async ({ sql }) => {
  await put(sql, {});
  const again = sql`select * from enqueue_tasks(
    '[{"type": "a", "unique_key": "k", "unique_mode": "replace"}]', 'request')`;
  const once = await again;
  assert.deepEqual(
    await sql`select * from enqueue_tasks(
    '[{"type": "a", "unique_key": "k", "unique_mode": "replace"}]', 'request')`,
    once,
  );
  assert.equal(once[0].replaced, true);
});

Deno.test("a key that somebody was taking over when its task ended is free after all", async () => {
  await using db = await freshDatabase();
  const [{ id }] = await put(db.sql, {});
  const [{ fence }] = await claim(db.sql);
  const other = db.connect();
  await other`begin`;
  assert.equal((await put(other, { unique_scope: "pending" }))[0].deduplicated, false);
  // It waits for nobody, and so it cannot free the key.
  assert.equal((await settle(db.sql, fence, [], "succeeded")).settled, 1);
  await other`rollback`;
  const [next] = await put(db.sql, {});
  assert.equal(next.deduplicated, false);
  assert.deepEqual(await statuses(db.sql, [id, next.id]), ["completed", "pending"]);
});

testTasks(
  "fields about keys that say nothing, or wrong things, are refused by name",
  async ({ sql }) => {
    const bad: [object, RegExp][] = [
      [{ unique_mode: "merge" }, /^p_tasks\[0\]\.unique_mode is not a field/],
      [{ unique_scope: "running" }, /^p_tasks\[0\]\.unique_scope /],
      [{ unique_seconds: 0 }, /^p_tasks\[0\]\.unique_seconds /],
      [{ unique_seconds: 1.5 }, /^p_tasks\[0\]\.unique_seconds /],
      [{ unique_merge: "yes" }, /^p_tasks\[0\]\.unique_merge /],
      [
        { unique_key: null, unique_mode: "reject" },
        /^p_tasks\[0\]\.unique_mode goes with a unique_key/,
      ],
      [
        { unique_merge: true, unique_mode: "replace" },
        /^p_tasks\[0\]\.unique_merge goes with .* debounce/,
      ],
    ];
    for (const [task, message] of bad) await assertRefused(put(sql, task), "PT400", message);
    await assertRefused(
      sql`select create_task('a', p_options => '{"unique_scope": "pending"}')`,
      "PT400",
      /^p_options\.unique_scope goes with a unique_key/,
    );
  },
);
