import assert from "node:assert/strict";
import postgres from "postgres";
import { TaskGrant, ThoughtGrant } from "../../functions/_shared/schemas.ts";
import { post } from "../support/endpoints.ts";
import { sharedStack } from "../support/stack.ts";

const name = (kind: string) => `claim_test_${kind}_${crypto.randomUUID().slice(0, 8)}`;

async function withThoughts<T>(count: number, use: (ids: string[]) => Promise<T>): Promise<T> {
  const sql = postgres(sharedStack().databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const rows = await sql`
      insert into thoughts (content, metadata) select 'a thought', '{"mine": true}' from generate_series(1, ${count})
      returning id`;
    return await use(rows.map(({ id }) => id));
  } finally {
    await sql.end();
  }
}

Deno.test("two workers that claim the same tasks share them without overlap", async () => {
  const stack = sharedStack();
  const type = name("shared");
  await post(stack, "enqueue", { tasks: Array(20).fill({ type, payload: { n: [1, null, "é"] } }) });
  const claims = await Promise.all(
    ["a", "b", "c", "d"].map((worker_id) =>
      post(stack, "claim", { worker_id, types: [type], limit: 10 })
    ),
  );
  const grants = claims.map(({ status, json }) => {
    assert.equal(status, 200);
    return TaskGrant.parse(json);
  });
  const ids = grants.flatMap(({ tasks }) => tasks.map(({ id }) => id));
  assert.equal(new Set(ids).size, ids.length);
  const fences = grants.filter(({ tasks }) => tasks.length > 0).map(({ fence }) => fence);
  assert.equal(new Set(fences).size, fences.length);
  const task = grants.flatMap(({ tasks }) => tasks)[0];
  assert.deepEqual([task.type, task.payload, task.attempt, task.max_attempts], [
    type,
    { n: [1, null, "é"] },
    1,
    5,
  ]);
});

Deno.test("nothing to claim is no error", async () => {
  const { status, json } = await post(sharedStack(), "claim", {
    worker_id: "w",
    types: [name("empty")],
  });
  assert.equal(status, 200);
  assert.deepEqual(json, { fence: null, lease_expires_at: null, lease_ms: 0, tasks: [] });
});

Deno.test("what only a rate keeps back says when to ask again", async () => {
  const stack = sharedStack();
  const type = name("rated");
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`select set_task_rate(${type}, 1, '1 hour')`;
    await post(stack, "enqueue", { tasks: Array(2).fill({ type }) });
    const terms = { worker_id: "w", types: [type] };
    const first = await post(stack, "claim", terms);
    assert.equal(first.headers.get("retry-after"), null);
    assert.equal("retry_after_seconds" in first.json, false);

    const { status, json, headers } = await post(stack, "claim", terms);
    assert.deepEqual([status, json.fence, json.tasks], [200, null, []]);
    assert.ok(json.retry_after_seconds > 3000 && json.retry_after_seconds <= 3600);
    assert.equal(headers.get("retry-after"), String(Math.ceil(json.retry_after_seconds)));

    const released = await post(stack, "release", {
      fence: first.json.fence,
      rest: "succeeded",
      claim: terms,
    });
    assert.ok(released.json.claim.retry_after_seconds > 3000);
  } finally {
    await sql`select remove_task_rate(${type})`;
    await sql`select cancel_tasks(array(select id from tasks where type = ${type}))`;
    await sql.end();
  }
});

Deno.test("a claim repeated with its request id is granted the same", async () => {
  const stack = sharedStack();
  const type = name("repeat");
  await post(stack, "enqueue", { tasks: Array(4).fill({ type }) });
  const claim = { worker_id: "w", types: [type], limit: 2, request_id: name("request") };
  const [first, second] = [await post(stack, "claim", claim), await post(stack, "claim", claim)];
  assert.equal(first.json.tasks.length, 2);
  // Not a whole lease again, which the repeat could count from itself: what is left of the first.
  assert.ok(second.json.lease_ms < first.json.lease_ms);
  assert.deepEqual({ ...second.json, lease_ms: first.json.lease_ms }, first.json);
});

Deno.test("of named thoughts those that exist and are free are granted, the rest is passed over", async () => {
  const stack = sharedStack();
  await withThoughts(3, async ([free, alsoFree, taken]) => {
    const claim = { work_type: name("named"), worker_id: "w" };
    await post(stack, "claim", { ...claim, thought_ids: [taken] });
    const unknown = crypto.randomUUID();
    const thought_ids = [unknown, taken, free, alsoFree, free];
    const { status, json } = await post(stack, "claim", { ...claim, thought_ids });
    assert.equal(status, 200);
    const grant = ThoughtGrant.parse(json);
    assert.deepEqual(grant.thoughts.map(({ id }) => id).sort(), [free, alsoFree].sort());
    const { content, metadata, attempt } = grant.thoughts[0];
    assert.deepEqual([content, metadata, attempt], ["a thought", { mine: true }, 1]);
  });
});

Deno.test("the next thoughts come without being named, each to one worker", async () => {
  const stack = sharedStack();
  await withThoughts(10, async (mine) => {
    const claim = { work_type: name("next"), limit: 5 };
    const claimAll = async (worker_id: string) => {
      const ids: string[] = [];
      for (let empty = 0; empty < 2;) {
        const { json } = await post(stack, "claim", { ...claim, worker_id });
        const { thoughts } = ThoughtGrant.parse(json);
        ids.push(...thoughts.map(({ id }) => id));
        // "Nothing granted" may mean that the other one is trying this moment: ask again.
        if (thoughts.length === 0) empty++;
      }
      return ids;
    };
    const ids = (await Promise.all(["a", "b"].map(claimAll))).flat();
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(mine.filter((id) => !ids.includes(id)), []);
  });
});
