import type { Sql } from "postgres";

/**
 * Thoughts and tasks in every state there is: waiting, held, renewed, completed, failed, retried,
 * cancelled, handed back, kept back by gates, with results, progress, effects and request ids; and a changed setting.
 */
export async function someOfEverything(sql: Sql): Promise<void> {
  await setGates(sql);
  await everythingButGates(sql);
}

/** All but setting gates, which waits for whoever works. */
export async function everythingButGates(sql: Sql): Promise<void> {
  await workOnThoughts(sql);
  await workOnTasks(sql);
  await workThroughGates(sql);
  await sql`select public.plan_dispatch()`;
  await sql`update dibs.settings set max_drains = 7 where only_row`;
  await sql`select public.dibs_status(), public.workers(), public.dispatches(), public.find_tasks()`;
  await sql`select public.claim_progress(), public.task_timeline(id) from public.find_tasks()`;
  await sql`select dibs.take_look(), public.task_statistics(), public.task_totals()`;
}

async function workOnThoughts(sql: Sql): Promise<void> {
  const thoughts = await sql`
    insert into public.thoughts (content) select 'thought ' || n from generate_series(1, 8) n returning id`;
  const ids = thoughts.map(({ id }) => id);
  await sql`select public.claim_thoughts(${ids.slice(0, 3)}::uuid[], 'by id', 'worker')`;
  await sql`select public.release_thought(${ids[0]}, 'by id', 'worker', 'succeeded')`;
  await sql`select public.release_claims_for_worker('by id', 'worker')`;
  await sql`select public.claim_named_thoughts('by name', 'worker', ${ids.slice(0, 2)}::uuid[])`;

  const [first, second, third] = await sql`
    select * from public.claim_next_thoughts('next', 'worker', 4, p_request_id => 'claim')`;
  await sql`select public.renew_lease(${first.fence})`;
  await sql`select public.assert_lease(${first.fence})`;
  await sql`select public.effect_begin(${first.fence}, ${third.thought_id}, 'mail')`;
  await sql`select public.complete_with_result(${first.fence}, ${third.thought_id}, '{"fine": true}')`;
  await sql`select public.was_completed(${first.fence}, ${third.thought_id})`;
  const outcomes = sql.json([
    { id: first.thought_id, status: "succeeded", metadata: { seen: true } },
    { id: second.thought_id, status: "failed", error: "broken", permanent: true },
  ]);
  await sql`
    select public.settle_and_claim_thoughts(${first.fence}, ${outcomes}, 'released', 'next', 'worker', 2)`;
  await sql`select public.quarantined_thoughts('next')`;
  await sql`select public.retry_failed_thoughts('next')`;
  await sql`delete from public.thought_work_claims where work_type = 'by name'`;
}

async function workOnTasks(sql: Sql): Promise<void> {
  await sql`select public.create_task('single', '{"n": 1}')`;
  await sql`insert into public.tasks (type, payload) values ('inserted', '{}')`;
  const items = Array.from({ length: 9 }, (_, n) => ({ type: "batch", unique_key: `${n}` }));
  const enqueued = await sql`select * from public.enqueue_tasks(${sql.json(items)}, 'enqueue')`;

  const [done, failed, renewed, completed] = await sql`
    select * from public.claim_tasks('worker', array['batch'], 5, p_request_id => 'claim tasks')`;
  await sql`select public.renew_lease(${done.fence}, 900, ${sql.json({ [renewed.id]: "half" })})`;
  await sql`select public.effect_begin(${done.fence}, ${renewed.id}, 'mail', 'at_most_once')`;
  await sql`select public.effect_done(${done.fence}, ${renewed.id}, 'mail', '{}')`;
  await sql`select public.effect_begin(${done.fence}, ${failed.id}, 'mail')`;
  await sql`select public.assert_lease(${done.fence}, ${completed.id})`;
  await sql`select public.complete_with_result(${done.fence}, ${completed.id}, '{"fine": true}')`;
  await sql`select public.was_completed(${done.fence}, ${completed.id})`;
  const outcomes = sql.json([
    { id: done.id, status: "succeeded", result: { fine: true } },
    { id: failed.id, status: "failed", error: "broken", permanent: true },
  ]);
  await sql`select public.settle_lease(${done.fence}, ${outcomes}, p_request_id => 'settle')`;
  await sql`
    select public.settle_and_claim_tasks(${done.fence}, '[]', 'released', 'worker', array['batch'], 2)`;
  await sql`select public.release_tasks_for_worker('worker')`;

  await sql`select public.cancel_tasks(${[enqueued[8].id]}::uuid[])`;
  await sql`select * from public.parked_effects()`;
  await sql`select public.settle_effect(${failed.id}, 'mail', false)`;
  await sql`select public.cancel_tasks(${[failed.id]}::uuid[])`;
  await sql`select public.retry_tasks(${[failed.id]}::uuid[])`;
  await sql`select public.task_attempts(${failed.id})`;
  const [{ id }] = await sql`select * from public.claim_task()`;
  await sql`update public.tasks set status = 'pending', started_at = null where id = ${id}`;
  await sql`update public.tasks set status = 'failed', error = 'by hand' where id = ${id}`;
  await sql`delete from public.tasks where type = 'inserted'`;
  await sql`select public.task_counts()`;
  await sql`select public.reap_tasks()`;
  await sql`select public.prune_tasks('1 day')`;
}

export async function setGates(sql: Sql): Promise<void> {
  await sql`select public.set_task_limit('gated', 2), public.set_task_limit('gated', 1, p_each_key => true)`;
  await sql`select public.set_task_rate('gated', 9, '1 hour', p_each_key => true)`;
  await sql`select public.pause_tasks('paused', 'k'), public.set_claim_limit('thoughts', 'gated', 1)`;
  await sql`select public.set_claim_rate('thoughts', 'gated', 9, '1 hour')`;
}

async function workThroughGates(sql: Sql): Promise<void> {
  await sql`
    select public.enqueue_tasks('[
      {"type": "gated", "key": "k", "order_key": "o"}, {"type": "gated", "key": "k", "order_key": "o"},
      {"type": "gated", "key": "other"}, {"type": "gated"}, {"type": "gated"}]')`;
  const [first] = await sql`select fence from public.claim_tasks('worker', '{gated}', 1)`;
  await sql`select public.settle_lease(${first.fence}, '[]', 'succeeded')`;
  await sql`select public.claim_tasks('worker', '{gated}', 2)`;
  await sql`select public.claim_next_thoughts('gated', 'worker')`;
  await sql`select public.task_gates(), public.task_retry_after(), public.claim_gates()`;
}
