import assert from "node:assert/strict";
import type { Sql } from "postgres";
import { freshDatabase } from "../support/database.ts";
import { claim, settle, testTasks } from "../support/tasks.ts";
import { claimNamed, makeThoughts, WORK } from "../support/thoughts.ts";

interface Explanation {
  state: string;
  reason: string;
  detail: Record<string, unknown>;
  until: Date | null;
  what_would_change_it: string;
}

async function explain(sql: Sql, task: string): Promise<Explanation> {
  const [why] = await sql<Explanation[]>`select * from explain_task(${task})`;
  return why;
}

async function put(sql: Sql, ...list: object[]): Promise<string[]> {
  const rows = await sql`
    select id from enqueue_tasks(${
    sql.json(list.map((task) => ({ type: "sync", ...task })) as never)
  })`;
  return rows.map(({ id }) => id);
}

testTasks(
  "a task that depends on others says which of them it still waits for",
  async ({ sql }) => {
    const [done, open, child] = await put(sql, {}, {}, { depends_on: [0, 1] });
    const [{ fence }] = await claim(sql, { limit: 1 });
    await settle(sql, fence, [{ id: done, status: "succeeded" }]);
    const why = await explain(sql, child);
    assert.deepEqual([why.state, why.reason], ["pending", "dependency"]);
    assert.deepEqual((why.detail.waits_for as { id: string }[]).map(({ id }) => id), [open]);
  },
);

testTasks("what is paused says what resumes it, and that does", async ({ sql }) => {
  const [task] = await put(sql, { key: "acme" });
  const pauses = ["pause_tasks()", "pause_tasks('sync')", "pause_tasks('sync', 'acme')"];
  for (const pause of pauses) await sql.unsafe(`select ${pause}`);
  for (const scope of ["everything", "type", "key"]) {
    const why = await explain(sql, task);
    assert.deepEqual([why.reason, why.detail.scope], ["paused", scope]);
    await sql.unsafe(why.what_would_change_it.replace(/\.$/, ""));
  }
  assert.equal((await explain(sql, task)).reason, "next");
});

testTasks("who is behind another of its order key says behind whom", async ({ sql }) => {
  const [first, second] = await put(sql, { order_key: "account" }, { order_key: "account" });
  await claim(sql, { limit: 9 });
  const why = await explain(sql, second);
  assert.deepEqual([why.reason, why.detail.behind, why.detail.its_status], [
    "order",
    first,
    "processing",
  ]);
  assert.equal((await explain(sql, first)).reason, "leased");
});

testTasks(
  "a limit that is reached says so, of the type or of the key, and what raises it",
  async ({ sql }) => {
    const [, second] = await put(sql, { key: "acme" }, { key: "acme" });
    await sql`select set_task_limit('sync', 1, 'acme'), set_task_limit('sync', 1)`;
    assert.equal((await explain(sql, second)).reason, "next");
    while ((await claim(sql, { limit: 9 })).length === 0);
    for (const key of [undefined, "acme"]) {
      const why = await explain(sql, second);
      assert.deepEqual(
        [why.reason, why.detail.key, why.detail.max_running, why.detail.running],
        ["limit", key, 1, 1],
      );
      await sql.unsafe(why.what_would_change_it.replace(/^.*: /, "").replace(/\.$/, ""));
    }
    assert.equal((await explain(sql, second)).reason, "next");
  },
);

testTasks("a rate that is used up says until when", async ({ sql }) => {
  await sql`select set_task_rate('sync', 1, '1 hour')`;
  const [, second] = await put(sql, {}, {});
  while ((await claim(sql, { limit: 9 })).length === 0);
  const why = await explain(sql, second);
  assert.equal(why.reason, "rate");
  assert.ok(why.until! > new Date());
});

Deno.test("work on thoughts that is paused or at its limit says so, and what ends that", async () => {
  await using db = await freshDatabase();
  const [held, thought] = await makeThoughts(db.sql, 2);
  const reason = async () => {
    const [why] = await db.sql<
      Explanation[]
    >`select * from explain_claim('thoughts', ${thought}, ${WORK})`;
    return why;
  };
  await claimNamed(db.sql, [held]);
  await db
    .sql`select set_claim_limit('thoughts', ${WORK}, 1), pause_claims('thoughts'), pause_claims('thoughts', ${WORK})`;
  for (const expected of ["paused", "paused", "limit"]) {
    const why = await reason();
    assert.deepEqual([why.state, why.reason], ["unclaimed", expected]);
    await db.sql.unsafe(why.what_would_change_it.replace(/^.*(?=select )/, "").replace(/\.$/, ""));
  }
  assert.equal((await reason()).reason, "next");
});
