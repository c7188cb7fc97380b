import assert from "node:assert/strict";
import { SettleResponse, TaskGrant } from "../../functions/_shared/schemas.ts";
import { assertRefused, post } from "../support/endpoints.ts";
import { sharedStack } from "../support/stack.ts";

async function claimed(count: number, limit = count) {
  const stack = sharedStack();
  const type = `release_test_${crypto.randomUUID().slice(0, 8)}`;
  await post(stack, "enqueue", { tasks: Array(count).fill({ type }) });
  const claim = { worker_id: type, types: [type], limit };
  const { json } = await post(stack, "claim", claim);
  return {
    stack,
    claim,
    fence: json.fence as string,
    ids: json.tasks.map(({ id }: { id: string }) => id) as string[],
  };
}

Deno.test("outcomes by name and one for the rest settle a whole lease", async () => {
  const { stack, fence, ids } = await claimed(5);
  const outcomes = [
    { id: ids[0], status: "failed", error: "no luck", permanent: true },
    { id: ids[1], status: "succeeded", result: { answer: 42 } },
  ];
  const { status, json } = await post(stack, "release", { fence, outcomes, rest: "succeeded" });
  assert.equal(status, 200);
  assert.deepEqual(SettleResponse.parse(json), { settled: 5, lost: [] });
});

Deno.test("what was settled cannot be settled again by an old fence", async () => {
  const { stack, fence, ids } = await claimed(2);
  await post(stack, "release", { fence, rest: "succeeded" });
  const late = await post(stack, "release", {
    fence,
    outcomes: [{ id: ids[0], status: "failed" }],
  });
  assertRefused(late, { status: 409, code: "lost" });
  assert.deepEqual(late.json.details, { settled: 0, lost: [ids[0]] });
});

Deno.test("a settlement repeated with its request id is answered the same", async () => {
  const { stack, fence } = await claimed(3);
  const release = { fence, rest: "succeeded", request_id: crypto.randomUUID() };
  const [first, second] = [
    await post(stack, "release", release),
    await post(stack, "release", release),
  ];
  assert.deepEqual([first.status, first.json.settled], [200, 3]);
  assert.deepEqual([second.status, second.json], [first.status, first.json]);
});

Deno.test("settling and claiming the next is one call, and repeated it grants the same", async () => {
  const { stack, fence, claim } = await claimed(6, 3);
  const release = { fence, rest: "succeeded", claim, request_id: crypto.randomUUID() };
  const { status, json } = await post(stack, "release", release);
  assert.equal(status, 200);
  const grant = TaskGrant.parse(SettleResponse.parse(json).claim);
  assert.deepEqual([json.settled, grant.tasks.length], [3, 3]);
  assert.notEqual(grant.fence, fence);
  const again = await post(stack, "release", release);
  assert.deepEqual(again.json.claim.tasks, json.claim.tasks);
});

Deno.test("with a claim along, a lost lease is told and the claim is granted all the same", async () => {
  const { stack, fence, ids, claim } = await claimed(2, 1);
  await post(stack, "release", { fence, rest: "succeeded" });
  const outcomes = [{ id: ids[0], status: "failed" }];
  const { status, json } = await post(stack, "release", { fence, outcomes, claim });
  assert.equal(status, 200);
  assert.deepEqual([json.settled, json.lost, json.claim.tasks.length], [0, [ids[0]], 1]);
});

Deno.test("everything a worker holds goes back by its name, and burns no attempt", async () => {
  const { stack, claim } = await claimed(4);
  const back = await post(stack, "release", { worker_id: claim.worker_id });
  assert.deepEqual([back.status, back.json], [200, { released: 4 }]);
  const again = await post(stack, "claim", claim);
  assert.deepEqual(again.json.tasks.map(({ attempt }: { attempt: number }) => attempt), [
    1,
    1,
    1,
    1,
  ]);
});

Deno.test("the claims of a worker go back by its name and the work type", async () => {
  const stack = sharedStack();
  const work_type = `release_test_${crypto.randomUUID().slice(0, 8)}`;
  const { json } = await post(stack, "claim", { work_type, worker_id: work_type, limit: 3 });
  const back = await post(stack, "release", { work_type, worker_id: work_type });
  assert.deepEqual(back.json, { released: json.thoughts.length });
});
