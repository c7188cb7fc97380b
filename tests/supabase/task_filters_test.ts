import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { assertRefused, claim, enqueue, settle, testTasks } from "../support/tasks.ts";

/** How many tasks a dry run finds. */
async function count(sql: Sql, filter: unknown, verb = "cancel_tasks_where"): Promise<number> {
  const [{ answer }] = await sql`select ${sql(verb)}(${sql.json(filter as never)}) as answer`;
  assert.equal(answer.dry_run, true);
  return answer.tasks;
}

testTasks("each field of a filter narrows down what is meant", async ({ sql }) => {
  const plain = await enqueue(sql, "a", 20);
  await enqueue(sql, "b", 1, { unique_key: "tenant-1:x", payload: { tenant: 1, more: [1] } });
  await enqueue(sql, "b", 1, { run_at: "2099-01-01T00:00:00Z" });
  const [{ fence }] = await claim(sql, { types: ["a"], limit: 5 });
  await settle(sql, fence, [{ id: plain[0], status: "failed", error: "HTTP 503 from there" }]);

  const found: [object, number][] = [
    [{ types: ["a"] }, 20],
    [{ types: ["a", "b"] }, 22],
    [{ types: ["c"] }, 0],
    [{ statuses: ["pending"] }, 18],
    [{ statuses: ["processing"] }, 4],
    [{ statuses: ["pending", "processing"], types: ["a"] }, 20],
    [{ ids: [plain[1], plain[19], crypto.randomUUID()] }, 2],
    [{ ids: plain, statuses: ["processing"] }, 4],
    [{ error: "%503%" }, 1],
    [{ error: "503" }, 0],
    [{ unique_key_prefix: "tenant-1:" }, 1],
    [{ unique_key_prefix: "tenant-1%" }, 0],
    [{ payload: { tenant: 1 } }, 1],
    [{ payload: { n: 3 } }, 1],
    [{ created_before: "2098-01-01T00:00:00Z" }, 22],
    [{ created_after: "2098-01-01T00:00:00Z" }, 0],
    [{ run_after: "2098-01-01T00:00:00Z" }, 1],
    [{ run_before: "2098-01-01T00:00:00Z", types: ["b"] }, 1],
  ];
  for (const [filter, tasks] of found) {
    assert.equal(await count(sql, filter), tasks, JSON.stringify(filter));
  }
});

testTasks("values of a filter are values, whatever they contain", async ({ sql }) => {
  const odd = `'; select pg_sleep(1) -- $q$ \\ "`;
  await enqueue(sql, odd, 1, { unique_key: odd, payload: { [odd]: odd } });
  const filters = [{ types: [odd] }, { unique_key_prefix: odd }, { payload: { [odd]: odd } }];
  for (const filter of filters) assert.equal(await count(sql, filter), 1, JSON.stringify(filter));
  assert.equal(await count(sql, { error: odd }), 0);
});

testTasks("a filter that is empty, unknown or wrong is refused by name", async ({ sql }) => {
  const bad: [unknown, RegExp][] = [
    [{}, /^p_filter must be an object with a field/],
    [null, /^p_filter must be an object/],
    [[], /^p_filter must be an object/],
    ["a", /^p_filter must be an object/],
    [{ type: "a" }, /^p_filter\.type is not a field/],
    [{ types: "a" }, /^p_filter\.types /],
    [{ types: [] }, /^p_filter\.types /],
    [{ types: [1] }, /^p_filter\.types /],
    [{ types: null }, /^p_filter\.types /],
    [{ statuses: ["completed"] }, /^p_filter\.statuses /],
    [{ statuses: ["failed"] }, /^p_filter\.statuses /],
    [{ ids: ["a"] }, /^p_filter\.ids /],
    [{ created_before: "yesterday" }, /^p_filter\.created_before /],
    [{ run_before: 5 }, /^p_filter\.run_before /],
    [{ error: "" }, /^p_filter\.error /],
    [{ error: "\\" }, /^p_filter\.error /],
    [{ unique_key_prefix: "" }, /^p_filter\.unique_key_prefix /],
    [{ payload: {} }, /^p_filter\.payload /],
    [{ payload: null }, /^p_filter\.payload /],
  ];
  await enqueue(sql, "a", 1);
  for (const [filter, message] of bad) {
    await assertRefused(count(sql, filter), "PT400", message);
    await assertRefused(count(sql, filter, "cancel_tasks_where"), "PT400", message);
  }
  await assertRefused(
    count(sql, { statuses: ["pending"] }, "retry_tasks_where"),
    "PT400",
    /statuses/,
  );
  await assertRefused(
    sql`select cancel_tasks_where('{"types": ["a"]}', false, 0)`,
    "PT400",
    /p_limit/,
  );
});
