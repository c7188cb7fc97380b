import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import assert from "node:assert/strict";
import { testStack } from "../support/stack.ts";
import { candidates, type ForeignWorker, rpc, runForeignWorker } from "./foreign_worker.ts";

// A stack without schedule: nothing but the clients below reaps, claims or settles here.
Deno.test("clients that know only the data API work unchanged", async (t) => {
  await using stack = await testStack({ standIns: false });
  const supabase = createClient(stack.url, stack.secretKey, { auth: { persistSession: false } });

  await t.step("three copies of a worker divide the thoughts, and none is done twice", async () => {
    const pool = await makePool(supabase, 120);
    const done: string[] = [];
    const work = ({ id }: { id: string }) => void done.push(id);
    const finished = await Promise.all(
      ["a", "b", "c"].map((workerId) =>
        runForeignWorker({ ...workerFor(stack, pool, workerId), work })
      ),
    );
    assert.deepEqual(done.toSorted(), pool.ids);
    assert.deepEqual(finished.flat().toSorted(), pool.ids);
    assert.equal(await claimsLeft(supabase, pool.workType), 0);
  });

  await t.step("expired claims hide thoughts only until anybody's next claim call", async () => {
    const pool = await makePool(supabase, 12);
    const worker = workerFor(stack, pool, "survivor");
    await leaveExpired(supabase, pool.workType, pool.ids);
    assert.deepEqual(await candidates(worker), []);
    assert.deepEqual(await runForeignWorker(worker), []);

    await rpc(stack, "claim_thoughts", {
      p_thought_ids: [],
      p_work_type: pool.workType,
      p_worker_id: "somebody",
    });
    assert.deepEqual((await runForeignWorker(worker)).toSorted(), pool.ids);
  });

  await t.step("a worker's own last claim brings back what a dead one left", async () => {
    const pool = await makePool(supabase, 12);
    await leaveExpired(supabase, pool.workType, pool.ids.slice(1));
    const finished = await runForeignWorker(workerFor(stack, pool, "survivor"));
    assert.deepEqual(finished.toSorted(), pool.ids);
  });

  await t.step("what a worker hands back in bulk is there for the next one at once", async () => {
    const pool = await makePool(supabase, 5);
    const claim = (p_worker_id: string) =>
      rpc(stack, "claim_thoughts", {
        p_thought_ids: pool.ids,
        p_work_type: pool.workType,
        p_worker_id,
      });
    const release = (p_worker_id: string) =>
      rpc(stack, "release_claims_for_worker", { p_work_type: pool.workType, p_worker_id });
    assert.equal((await claim("first")).length, 5);
    assert.deepEqual(await claim("second"), []);
    assert.equal(await release("second"), 0);
    assert.equal(await release("first"), 5);
    assert.equal((await claim("second")).length, 5);
  });

  await t.step("clearing finished rows lets a batch run again", async () => {
    const pool = await makePool(supabase, 3);
    const worker = workerFor(stack, pool, "again");
    assert.equal((await runForeignWorker(worker)).length, 3);
    assert.equal((await runForeignWorker(worker)).length, 0);
    const cleared = await supabase.from("thought_work_claims").delete()
      .eq("work_type", pool.workType).in("status", ["succeeded", "failed"]).select("thought_id");
    assert.equal(cleared.data?.length, 3);
    assert.equal((await runForeignWorker(worker)).length, 3);
  });

  await t.step("tasks are inserted and selected as rows of a table", async () => {
    const inserted = await supabase.from("tasks")
      .insert([{ type: "one", payload: { n: 1 } }, { type: "two", payload: { n: 2 } }]).select();
    assert.equal(inserted.error, null);
    const pending = await supabase.from("tasks").select("*").eq("status", "pending");
    assert.deepEqual(
      pending.data?.map(({ type, payload, started_at }) => ({ type, payload, started_at })),
      [
        { type: "one", payload: { n: 1 }, started_at: null },
        { type: "two", payload: { n: 2 }, started_at: null },
      ],
    );
    assert.equal(await countTasks(supabase, "pending"), 2);
  });

  await t.step("claim_task hands out the oldest task, then the next, then none", async () => {
    const first = await claimTask(supabase);
    const second = await claimTask(supabase);
    assert.deepEqual([first.type, first.status], ["one", "processing"]);
    assert.deepEqual([second.type, second.status], ["two", "processing"]);
    assert.equal(await claimTask(supabase), undefined);
    assert.equal(await countTasks(supabase, "processing"), 2);
  });

  await t.step("tasks stuck in processing are found by started_at and reset", async () => {
    const [stuck] = await must(
      supabase.from("tasks").select("*").eq("status", "processing")
        .lt("started_at", new Date(Date.now() + 60_000).toISOString()).order("started_at"),
    );
    assert.equal(stuck.type, "one");
    await must(
      supabase.from("tasks").update({ status: "pending", started_at: null })
        .eq("id", stuck.id).select(),
    );
    assert.equal((await claimTask(supabase)).id, stuck.id);
  });

  await t.step("updates complete and fail tasks, and group by status counts them", async () => {
    const end = async (type: string, values: Record<string, unknown>) => {
      const [task] = await must(supabase.from("tasks").update(values).eq("type", type).select());
      return task;
    };
    const now = new Date().toISOString();
    assert.equal(
      (await end("one", { status: "completed", completed_at: now })).status,
      "completed",
    );
    assert.equal((await end("two", { status: "failed", error: "no such page" })).status, "failed");
    const failed = await must(supabase.from("tasks").select("type,error").eq("status", "failed"));
    assert.deepEqual(failed, [{ type: "two", error: "no such page" }]);
    const counts = await must(supabase.rpc("task_counts"));
    const count = (status: string) =>
      Number(counts.find((row: { status: string }) => row.status === status).tasks);
    assert.deepEqual([count("completed"), count("failed"), count("processing")], [1, 1, 0]);
  });

  await t.step("create_task returns the id of the new task", async () => {
    const { data: id } = await supabase.rpc("create_task", {
      p_type: "three",
      p_payload: { n: 3 },
    });
    assert.equal((await claimTask(supabase)).id, id);
  });
});

interface Pool {
  workType: string;
  prefix: string;
  /** In order. */
  ids: string[];
}

/** So many thoughts, told apart by how their content begins, for a work type of their own. */
async function makePool(supabase: SupabaseClient, size: number): Promise<Pool> {
  const workType = crypto.randomUUID();
  const prefix = `foreign ${workType} `;
  const thoughts = Array.from({ length: size }, (_, n) => ({ content: `${prefix}${n}` }));
  const rows = await must(supabase.from("thoughts").insert(thoughts).select("id"));
  return { workType, prefix, ids: rows.map(({ id }) => id).toSorted() };
}

function workerFor(
  { url, secretKey }: { url: string; secretKey: string },
  { workType, prefix }: Pool,
  workerId: string,
): ForeignWorker {
  return { url, secretKey, workType, prefix, workerId, batch: 7, work: () => {} };
}

/** What a worker leaves behind that died long ago: rows as clients insert them. */
async function leaveExpired(supabase: SupabaseClient, work_type: string, ids: string[]) {
  const rows = ids.map((thought_id) => ({
    thought_id,
    work_type,
    worker_id: "dead",
    ttl_expires_at: "2020-01-01T00:00:00Z",
  }));
  await must(supabase.from("thought_work_claims").insert(rows).select("thought_id"));
}

async function claimsLeft(supabase: SupabaseClient, workType: string): Promise<number> {
  const rows = await must(
    supabase.from("thought_work_claims").select("thought_id")
      .eq("work_type", workType).eq("status", "claimed"),
  );
  return rows.length;
}

async function countTasks(supabase: SupabaseClient, status: string): Promise<number | null> {
  const { count } = await supabase.from("tasks").select("*", { count: "exact", head: true })
    .eq("status", status);
  return count;
}

async function claimTask(supabase: SupabaseClient) {
  const [task] = await must(supabase.rpc("claim_task"));
  return task;
}

async function must<T>(query: PromiseLike<{ data: T | null; error: unknown }>): Promise<T> {
  const { data, error } = await query;
  assert.equal(error, null);
  return data!;
}
