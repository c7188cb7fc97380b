import assert from "node:assert/strict";
import { Status } from "../../functions/_shared/schemas.ts";
import { post, send } from "../support/endpoints.ts";
import { sharedStack } from "../support/stack.ts";

Deno.test("status shows who holds what, in the shape that is documented", async () => {
  const stack = sharedStack();
  const worker_id = `status_test_${crypto.randomUUID()}`;
  await post(stack, "enqueue", { tasks: Array(3).fill({ type: worker_id }) });
  await post(stack, "claim", { worker_id, types: [worker_id], limit: 2 });
  const { status, json } = await send(stack, "status", { method: "GET" });
  assert.equal(status, 200);
  const { workers, tasks } = Status.parse(json);
  assert.equal(workers.find((worker) => worker.worker_id === worker_id)?.tasks, 2);
  assert.ok(tasks!.processing >= 2);
});
