import assert from "node:assert/strict";
import { RenewResponse } from "../../functions/_shared/schemas.ts";
import { assertRefused, post } from "../support/endpoints.ts";
import { sharedStack } from "../support/stack.ts";

async function claimTwo() {
  const stack = sharedStack();
  const type = `renew_test_${crypto.randomUUID().slice(0, 8)}`;
  await post(stack, "enqueue", { tasks: Array(2).fill({ type }) });
  const { json } = await post(stack, "claim", { worker_id: type, types: [type], limit: 2 });
  return {
    stack,
    fence: json.fence as string,
    ids: json.tasks.map((task: { id: string }) => task.id) as string[],
  };
}

Deno.test("a renewal names what is still held", async () => {
  const { stack, fence, ids } = await claimTwo();
  const whole = await post(stack, "renew", {
    fence,
    lease_seconds: 60,
    progress: { [ids[0]]: { percent: 50 } },
  });
  assert.equal(whole.status, 200);
  assert.deepEqual(RenewResponse.parse(whole.json).held.sort(), ids.sort());
  assert.equal(whole.json.lease_ms, 60_000);
  await post(stack, "release", { fence, outcomes: [{ id: ids[0], status: "succeeded" }] });
  const rest = await post(stack, "renew", { fence });
  assert.deepEqual(rest.json.held, [ids[1]]);
});

Deno.test("the fence of a lease that was settled is refused as lost", async () => {
  const { stack, fence } = await claimTwo();
  await post(stack, "release", { fence, rest: "succeeded" });
  assertRefused(await post(stack, "renew", { fence }), { status: 409, code: "lost" });
});
