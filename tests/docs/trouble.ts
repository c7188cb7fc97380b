import type { TestDatabase } from "../support/database.ts";
import { parkEffect } from "../support/parked_effect.ts";

/** A task and a claim of dead workers, one nobody works on, failed ones, a parked effect, a dispatch. */
export async function makeTrouble({ sql }: TestDatabase): Promise<void> {
  await parkEffect(sql, { type: "send_invoice", error: "no such customer" });
  await sql.unsafe(`
    insert into public.tasks (type, payload) values ('slow', '{}'), ('forgotten', '{}');
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
