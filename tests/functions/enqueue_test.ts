import assert from "node:assert/strict";
import { EnqueueResponse } from "../../functions/_shared/schemas.ts";
import { post } from "../support/endpoints.ts";
import { sharedStack } from "../support/stack.ts";

const newType = () => `enqueue_test_${crypto.randomUUID().slice(0, 8)}`;

Deno.test("tasks get their ids in the order they were sent, with every option there is", async () => {
  const stack = sharedStack();
  const type = newType();
  const tasks = [
    { type, payload: { n: 1 }, priority: 5 },
    { type, payload: { n: 2 }, priority: -5, max_attempts: 1 },
    { type, payload: { n: 3 }, run_at: "2099-01-01T00:00:00+01:00" },
  ];
  const { status, json } = await post(stack, "enqueue", { tasks });
  assert.equal(status, 200);
  const ids = EnqueueResponse.parse(json).tasks.map(({ id }) => id);
  const claim = await post(stack, "claim", { worker_id: "w", types: [type], limit: 10 });
  const granted = claim.json.tasks.map(({ id }: { id: string }) => id);
  assert.deepEqual(
    granted,
    [ids[1], ids[0]],
    "the smaller priority first, and not what is due in 2099",
  );
});

Deno.test("a unique key that is taken makes no second task", async () => {
  const stack = sharedStack();
  const task = { type: newType(), unique_key: "order-1" };
  const [first, second] = [
    await post(stack, "enqueue", { tasks: [task] }),
    await post(stack, "enqueue", { tasks: [task] }),
  ];
  assert.deepEqual(second.json.tasks, [
    { id: first.json.tasks[0].id, deduplicated: true, replaced: false },
  ]);
});

Deno.test("a unique key says what becomes of a task that has it already", async () => {
  const stack = sharedStack();
  const type = newType();
  const task = (fields: object) => ({ tasks: [{ type, unique_key: "order-1", ...fields }] });
  const made = await post(stack, "enqueue", task({ payload: { a: 1 }, unique_seconds: 60 }));
  const [{ id }] = made.json.tasks;
  const debounce = { unique_mode: "debounce", unique_merge: true, payload: { b: 2 } };
  const merged = await post(stack, "enqueue", task(debounce));
  assert.deepEqual(merged.json.tasks, [{ id, deduplicated: true, replaced: true }]);
  const rejected = await post(stack, "enqueue", task({ unique_mode: "reject" }));
  assert.deepEqual([rejected.status, rejected.json.code], [409, "conflict"]);
  assert.match(rejected.json.message, new RegExp(id));
  const claim = await post(stack, "claim", { worker_id: "w", types: [type] });
  assert.deepEqual(claim.json.tasks[0].payload, { a: 1, b: 2 });
  const second = await post(stack, "enqueue", task({ unique_scope: "pending" }));
  assert.equal(second.json.tasks[0].deduplicated, true, "its minute has not passed");
});

Deno.test("fields about a unique key that go with none are refused by name", async () => {
  const task = { type: newType(), unique_mode: "reject" };
  const { status, json } = await post(sharedStack(), "enqueue", { tasks: [task] });
  assert.equal(status, 400);
  assert.equal(json.details[0].path, "tasks[0].unique_mode");
});

Deno.test("a request repeated with its id enqueues nothing more", async () => {
  const stack = sharedStack();
  const type = newType();
  const request = { tasks: Array(3).fill({ type }), request_id: crypto.randomUUID() };
  const replies = await Promise.all([1, 2, 3].map(() => post(stack, "enqueue", request)));
  for (const { json } of replies) assert.deepEqual(json, replies[0].json);
  const claim = await post(stack, "claim", { worker_id: "w", types: [type], limit: 100 });
  assert.equal(claim.json.tasks.length, 3);
});

Deno.test("a request id of one verb is not accepted for another", async () => {
  const stack = sharedStack();
  const request_id = crypto.randomUUID();
  await post(stack, "enqueue", { tasks: [{ type: newType() }], request_id });
  const { status, json } = await post(stack, "claim", {
    worker_id: "w",
    types: [newType()],
    request_id,
  });
  assert.deepEqual([status, json.code], [409, "conflict"]);
});

Deno.test("a task that depends on others is claimed after them, with what came of them", async () => {
  const stack = sharedStack();
  const type = newType();
  const { json } = await post(stack, "enqueue", {
    tasks: [{ type }, { type: `${type}_after`, depends_on: [0], depends_mode: "any" }],
  });
  const [{ id }, after] = EnqueueResponse.parse(json).tasks;
  const claim = { worker_id: "w", types: [type, `${type}_after`], limit: 10 };
  const first = (await post(stack, "claim", claim)).json;
  assert.deepEqual(first.tasks.map((task: { id: string }) => task.id), [id]);
  assert.ok(!("dependencies" in first.tasks[0]));
  const outcomes = [{ id, status: "succeeded", result: { n: 1 } }];
  const { json: next } = await post(stack, "release", { fence: first.fence, outcomes, claim });
  assert.equal(next.claim.tasks[0].id, after.id);
  assert.deepEqual(next.claim.tasks[0].dependencies, [
    { id, status: "completed", result: { n: 1 } },
  ]);
  const { status, json: refusal } = await post(stack, "enqueue", {
    tasks: [{ type }, { type, depends_on: [1] }],
  });
  assert.equal(status, 400);
  assert.match(refusal.message, /tasks\[1\]\.depends_on\[0\] is not the place of an earlier task/);
});
