import assert from "node:assert/strict";
import { freshDatabase, type TestDatabase } from "../support/database.ts";
import { execute } from "./execute.ts";
import { blocksOf, readDocument } from "./markdown.ts";

Deno.test("the queries under Watch it find what went wrong", async () => {
  await using db = await freshDatabase();
  await makeTrouble(db);
  const section = (await readDocument("README.md")).split("\n## Watch it\n")[1].split("\n## ")[0];
  const printed = await Promise.all(blocksOf("README.md", section).slice(0, 3).map(run(db)));
  const [counts, stuck, waiting] = printed;
  assert.match(counts, /^processing\|1$/m);
  assert.match(counts, /^translation\|claimed\|1$/m);
  assert.match(stuck, /\|slow\|dead-1\|02:00:.*\|t$/m);
  assert.match(stuck, /\|translation\|dead-2\|/);
  assert.match(waiting, /^forgotten\|1\|03:00:/m);
  assert.match(waiting, /the Vault has no secret/);

  const rest: string[] = [];
  for (const block of blocksOf("README.md", section).slice(3)) rest.push(await run(db)(block));
  const [failed, byHand, parked] = rest;
  assert.match(failed, /\|send_invoice\|1\|no such customer$/m);
  assert.match(failed, /^1\|failed\|worker-1\|.*\|no such customer$/m);
  assert.match(failed, /\|5\|too long\|/);
  assert.match(parked, /\|card\|/);
  assert.equal(byHand.trim(), "0|0");
  const [slow] = await db.sql`select status from public.tasks where type = 'slow'`;
  const [again] = await db.sql`select status from public.tasks where type = 'send_invoice'`;
  assert.deepEqual([slow.status, again.status], ["pending", "pending"]);
});

/** A task and a claim of dead workers, one nobody works on, failed ones, a parked effect, a dispatch. */
async function makeTrouble({ sql }: TestDatabase): Promise<void> {
  await sql.unsafe(`
    insert into public.tasks (type, payload) values ('send_invoice', '{}'), ('slow', '{}'), ('forgotten', '{}');
    do $$
    declare
      v_fence text := (select fence from public.claim_tasks('worker-1', '{send_invoice}'));
      v_id uuid := (select id from public.tasks where type = 'send_invoice');
    begin
      perform public.settle_lease(v_fence, jsonb_build_array(jsonb_build_object(
        'id', v_id, 'status', 'failed', 'permanent', true, 'error', 'no such customer')));
      insert into dibs.effect (id, key, mode, state, fence, begun_at)
        values (v_id, 'card', 'at_most_once', 'parked', v_fence::bigint, now());
    end $$;
    select public.claim_tasks('dead-1', '{slow}');
    update dibs.lease set started_at = now() - interval '2 hours', expires_at = now() - interval '1 hour'
      where worker_id = 'dead-1';
    update dibs.ready set run_at = now() - interval '3 hours' where type = 'forgotten';
    delete from vault.secrets where name like 'dibs_%';
    select dibs.call_dispatch('tick');
    insert into public.thoughts (content) values ('a'), ('b');
    insert into public.thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at)
      select id, 'translation', 'dead-2', now() - interval '1 hour' from public.thoughts where content = 'a';
    insert into public.thought_work_claims
      (thought_id, work_type, worker_id, ttl_expires_at, status, attempt_count, max_attempts, last_error, finished_at)
      select id, 'enrichment', 'worker-1', now(), 'failed', 5, 5, 'too long', now()
      from public.thoughts where content = 'b';
  `);
}

function run({ url }: TestDatabase) {
  const args = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url];
  return ({ text }: { text: string }) => execute({ program: "psql", args, cwd: "/" }, text);
}
