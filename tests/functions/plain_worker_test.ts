// A worker in any language needs claim, renew and release, and a way to send HTTP.
import assert from "node:assert/strict";
import { sharedStack } from "../support/stack.ts";

interface Task {
  id: string;
  payload: { n: number };
}

Deno.test("three workers that only know how to fetch do every task once", async () => {
  const type = `plain_${crypto.randomUUID().slice(0, 8)}`;
  const numbers = Array.from({ length: 90 }, (_, n) => n);
  await call("enqueue", { tasks: numbers.map((n) => ({ type, payload: { n } })) });
  const done: number[] = [];
  await Promise.all([1, 2, 3].map((i) => plainWorker(`plain-${i}-${type}`, type, done)));
  assert.deepEqual(done.sort((a, b) => a - b), numbers);
});

async function plainWorker(worker_id: string, type: string, done: number[]): Promise<void> {
  for (;;) {
    const { fence, tasks } = await call("claim", {
      worker_id,
      types: [type],
      limit: 10,
      lease_seconds: 60,
    });
    if (fence === null) return;
    const { held } = await call("renew", { fence, lease_seconds: 60 });
    for (const { id, payload } of tasks as Task[]) if (held.includes(id)) done.push(payload.n);
    const { settled } = await call("release", { fence, rest: "succeeded" });
    assert.equal(settled, tasks.length);
  }
}

async function call(endpoint: string, body: unknown) {
  const { url, secretKey } = sharedStack();
  const response = await fetch(`${url}/functions/v1/${endpoint}`, {
    method: "POST",
    headers: { apikey: secretKey, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  assert.ok(response.ok, JSON.stringify(answer));
  return answer;
}
