// A worker whose tasks somebody cancels: a whole one, on a stack, over the data API.
import assert from "node:assert/strict";
import { z } from "zod";
import { defineTask } from "../../functions/_shared/handler.ts";
import type { Log } from "../../functions/_shared/log.ts";
import { remoteRpc } from "../../functions/_shared/rpc.ts";
import { runWorker } from "../../functions/_shared/worker.ts";
import { taskWork } from "../../functions/_shared/worker/tasks.ts";
import { eventually } from "../support/eventually.ts";
import { sharedStack } from "../support/stack.ts";

const silent: Log = { info() {}, error() {}, with: () => silent };

/** A heartbeat comes after a third of it. */
const LEASE_SECONDS = 6;

Deno.test("what is cancelled while it runs is aborted by the next heartbeat, and what waits is not begun", async () => {
  const { url, secretKey } = sharedStack();
  const rpc = remoteRpc(url, secretKey);
  const type = `cancelled_${crypto.randomUUID().slice(0, 8)}`;
  const tasks = await rpc.call("enqueue_tasks", {
    p_tasks: Array.from({ length: 6 }, (_, n) => ({ type, payload: { n } })),
  });
  const cancelled = [1, 3, 4].map((n) => tasks[n].id);

  const begun: number[] = [];
  const reasons: string[] = [];
  const handler = defineTask({
    type,
    payload: z.object({ n: z.int() }),
    async run({ n }, { signal }) {
      begun.push(n);
      if (n !== 1) return;
      // The first one was quick, so that the worker has fetched the rest by now or will soon.
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reasons.push(signal.reason.message);
      signal.throwIfAborted();
    },
  });
  const working = runWorker(
    taskWork({
      rpc,
      log: silent,
      workerId: type,
      leaseSeconds: LEASE_SECONDS,
      handlers: new Map([[type, handler]]),
    }),
    { concurrency: 1, batch: 10, leaseSeconds: LEASE_SECONDS, log: silent, untilEmpty: true },
  );
  await eventually("one is being worked on and the rest is fetched", async () => {
    const { data } = await rpc.supabase.from("tasks").select("id").eq("type", type)
      .eq("status", "processing");
    return begun.includes(1) && data?.length === 5;
  });
  const { data } = await rpc.supabase.rpc("cancel_tasks_where", {
    p_filter: { ids: cancelled },
    p_dry_run: false,
  });
  assert.equal(data.tasks, 3);

  const summary = await working;
  assert.deepEqual(reasons, ["lease_lost"]);
  assert.deepEqual(begun.toSorted(), [0, 1, 2, 5]);
  assert.deepEqual([summary.completed, summary.failed, summary.lost], [3, 0, 3]);
  const ended = await rpc.supabase.from("tasks").select("id").eq("status", "cancelled")
    .eq("type", type).order("id");
  assert.deepEqual(ended.data?.map(({ id }) => id), cancelled.toSorted());
});
