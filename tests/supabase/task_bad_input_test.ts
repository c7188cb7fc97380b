import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase } from "../support/database.ts";
import { contents } from "../support/contents.ts";
import { assertRefused, claim, enqueue, statuses, testTasks } from "../support/tasks.ts";

const good = { type: "a" };

/** What is wrong, the tasks to enqueue, and how the refusal begins. */
const BAD_TASKS: [string, unknown, RegExp][] = [
  ["no list", { type: "a" }, /^p_tasks must be an array/],
  ["text", "a", /^p_tasks must be an array/],
  ["null", null, /^p_tasks must be an array/],
  ["an empty list", [], /p_tasks/],
  ["a task too many", Array(1001).fill(good), /p_tasks.* 1001/],
  ["a task that is text", [good, "a"], /^p_tasks\[1\]/],
  ["a task that is null", [good, null], /^p_tasks\[1\]/],
  ["an unknown field", [good, { type: "a", prioritty: 1 }], /^p_tasks\[1\]\.prioritty/],
  ["no type", [good, {}], /^p_tasks\[1\]\.type must not be empty/],
  ["a type of null", [{ type: null }], /^p_tasks\[0\]\.type/],
  ["a type of spaces", [{ type: "  " }], /^p_tasks\[0\]\.type must not be empty/],
  ["a type that is a number", [{ type: 1 }], /^p_tasks\[0\]\.type/],
  ["a type of two lines", [{ type: "a\nb" }], /^p_tasks\[0\]\.type has a control character/],
  ["a type too long", [{ type: "x".repeat(101) }], /^p_tasks\[0\]\.type has 101 characters/],
  ["a priority that is text", [{ type: "a", priority: "1" }], /^p_tasks\[0\]\.priority/],
  ["a priority with a fraction", [{ type: "a", priority: 1.5 }], /^p_tasks\[0\]\.priority/],
  ["a priority too large", [{ type: "a", priority: 32768 }], /^p_tasks\[0\]\.priority/],
  ["a priority of astronomers", [{ type: "a", priority: 1e30 }], /^p_tasks\[0\]\.priority/],
  ["no attempts", [{ type: "a", max_attempts: 0 }], /^p_tasks\[0\]\.max_attempts/],
  ["attempts without end", [{ type: "a", max_attempts: 101 }], /^p_tasks\[0\]\.max_attempts/],
  ["a run_at that is a number", [{ type: "a", run_at: 1 }], /^p_tasks\[0\]\.run_at/],
  ["a run_at of words", [{ type: "a", run_at: "tomorrow" }], /^p_tasks\[0\]\.run_at/],
  [
    "a run_at in the 13th month",
    [{ type: "a", run_at: "2026-13-01T00:00:00Z" }],
    /^p_tasks\[0\]\.run_at/,
  ],
  [
    "a run_at with a tail",
    [{ type: "a", run_at: "2026-12-01T00:00:00Z; x" }],
    /^p_tasks\[0\]\.run_at/,
  ],
  [
    "a run_at nowhere",
    [{ type: "a", run_at: "2026-12-01T00:00:00 Atlantis/X" }],
    /^p_tasks\[0\]\.run_at/,
  ],
  ["an empty unique key", [{ type: "a", unique_key: "" }], /^p_tasks\[0\]\.unique_key/],
  [
    "a unique key too long",
    [{ type: "a", unique_key: "x".repeat(201) }],
    /^p_tasks\[0\]\.unique_key/,
  ],
];

Deno.test("bad tasks are refused with their path, and nothing is enqueued", async (t) => {
  await using db = await freshDatabase();
  const before = await contents(db.sql);
  for (const [what, tasks, message] of BAD_TASKS) {
    await t.step(what, async () => {
      await assertRefused(
        db.sql`select * from enqueue_tasks(${db.sql.json(tasks as never)}, 'request')`,
        "PT400",
        message,
      );
      assert.deepEqual(await contents(db.sql), before);
    });
  }
});

Deno.test("bad arguments are refused by name, and nothing changes", async (t) => {
  await using db = await freshDatabase();
  const { sql } = db;
  await enqueue(sql, "a", 5);
  const [{ fence }] = await claim(sql, { limit: 2 });
  const before = await contents(sql);
  const calls: [string, (sql: Sql) => PromiseLike<unknown>, RegExp][] = [
    ["create_task, type", (sql) => sql`select create_task('')`, /^p_type/],
    ["create_task, type null", (sql) => sql`select create_task(null)`, /^p_type/],
    ["create_task, priority", (sql) => sql`select create_task('a', '{}', 40000)`, /^p_priority/],
    [
      "create_task, max_attempts",
      (sql) => sql`select create_task('a', p_max_attempts => -1)`,
      /^p_max_attempts/,
    ],
    [
      "create_task, unique_key",
      (sql) => sql`select create_task('a', p_unique_key => ' ')`,
      /^p_unique_key/,
    ],
    [
      "enqueue, request id",
      (sql) => sql`select enqueue_tasks('[{"type":"a"}]', ${"x".repeat(201)})`,
      /^p_request_id/,
    ],
    ["claim, worker", (sql) => sql`select claim_tasks(null)`, /^p_worker_id/],
    [
      "claim, worker with an escape",
      (sql) => sql`select claim_tasks(${"\u001b[31m"})`,
      /^p_worker_id/,
    ],
    ["claim, limit null", (sql) => sql`select claim_tasks('w', null, null)`, /^p_limit/],
    ["claim, limit", (sql) => sql`select claim_tasks('w', null, -1)`, /^p_limit/],
    ["claim, lease", (sql) => sql`select claim_tasks('w', null, 1, 0)`, /^p_lease_seconds/],
    [
      "claim, endless lease",
      (sql) => sql`select claim_tasks('w', null, 1, 2147483647)`,
      /^p_lease_seconds/,
    ],
    ["claim, request id", (sql) => sql`select claim_tasks('w', null, 1, 1, '')`, /^p_request_id/],
    ["renew, fence", (sql) => sql`select renew_lease('-1')`, /^p_fence/],
    ["renew, fence null", (sql) => sql`select renew_lease(null)`, /^p_fence/],
    ["renew, lease", (sql) => sql`select renew_lease(${fence}, -5)`, /^p_lease_seconds/],
    ["renew, progress", (sql) => sql`select renew_lease(${fence}, 60, '[1]')`, /^p_progress/],
    ["settle, fence", (sql) => sql`select settle_lease(${"9".repeat(19)})`, /^p_fence/],
    ["settle, rest", (sql) => sql`select settle_lease(${fence}, '[]', 'completed')`, /^p_rest/],
    ["settle, outcomes", (sql) => sql`select settle_lease(${fence}, '{}')`, /^p_outcomes/],
    ["effect, key", (sql) => sql`select effect_begin(${fence}, gen_random_uuid(), '')`, /^p_key/],
  ];
  for (const [what, call, message] of calls) {
    await t.step(what, async () => {
      await assertRefused(call(sql), "PT400", message);
      assert.deepEqual(await contents(sql), before);
    });
  }
});

testTasks("a refusal does not repeat what is in a payload", async ({ sql }) => {
  const tasks = [{ type: "a", payload: "sk-SECRET", run_at: "sk-SECRET" }];
  const error = await sql`select enqueue_tasks(${sql.json(tasks)})`.catch((error) => error);
  assert.equal(error.code, "PT400");
  assert.ok(!JSON.stringify({ ...error, query: "", parameters: "", args: "" }).includes("SECRET"));
});

testTasks("a null list of outcomes settles by the rest alone", async ({ sql }) => {
  const tasks = await enqueue(sql, "a", 2);
  const [{ fence }] = await claim(sql, { limit: 2 });
  const [answer] = await sql`select * from settle_lease(${fence}, null, 'succeeded')`;
  assert.equal(answer.settled, 2);
  assert.deepEqual(await statuses(sql, tasks), ["completed", "completed"]);
});

testTasks(
  "stricter isolation refuses what it cannot do rightly, and a retry does it",
  async (db) => {
    for (const level of ["repeatable read", "serializable"]) {
      const sql = db.connect();
      const tasks = await enqueue(db.sql, "a", 2);
      const [{ fence }] = await claim(db.sql, { limit: 2 });
      await sql.unsafe(`begin isolation level ${level}`);
      await sql`select count(*) from dibs.lease`;
      await db.sql`select cancel_tasks(array[${tasks[0]}]::uuid[])`;
      const error = await sql`select * from settle_lease(${fence}, '[]', 'succeeded')`.catch((e) =>
        e
      );
      assert.equal(error.code, "40001");
      await sql`rollback`;
      const [again] = await sql`select * from settle_lease(${fence}, '[]', 'succeeded')`;
      assert.equal(again.settled, 1);
      assert.deepEqual(await statuses(db.sql, tasks), ["cancelled", "completed"]);
    }
  },
);
