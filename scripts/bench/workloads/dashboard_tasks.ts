import type { BenchDatabase } from "../cluster.ts";

const LOADERS = 2;
const PER_TURN = 1_000;

/** Tasks that wait, enqueued one by one, so that each stands for itself. */
export async function loadPending(database: BenchDatabase, tasks: number): Promise<void> {
  await inTurns(
    database,
    tasks,
    `for n in turn * ${PER_TURN}..turn * ${PER_TURN} + ${PER_TURN - 1} loop
       perform from public.enqueue_tasks(jsonb_build_array(dibs_bench.task(n)));
     end loop;`,
  );
}

/** Tasks that were claimed by a hundred and ended, one in a hundred of them failed for good. */
export async function loadFinished(database: BenchDatabase, tasks: number): Promise<void> {
  await inTurns(
    database,
    tasks,
    `perform from public.enqueue_tasks((
       select jsonb_agg(dibs_bench.task(n))
       from generate_series(turn * ${PER_TURN}, turn * ${PER_TURN} + ${PER_TURN - 1}) n));
     loop
       select array_agg(id), min(fence) into v_ids, v_fence
         from public.claim_tasks('worker-' || turn % 20, null, 100);
       exit when v_ids is null;
       perform public.settle_lease(v_fence, jsonb_build_array(jsonb_build_object('id', v_ids[1],
         'status', 'failed', 'error', 'HTTP 422: no such address ' || turn, 'permanent', true)), 'succeeded');
     end loop;`,
  );
}

/** In the server: so many tasks on their way through a client would take longer than all the rest. */
async function inTurns(database: BenchDatabase, tasks: number, body: string): Promise<void> {
  const sql = database.connect();
  await sql.unsafe(`
    create schema if not exists dibs_bench;
    create or replace function dibs_bench.task(n int) returns jsonb language sql immutable as $$
      select jsonb_build_object('type', 'type_' || n % 10, 'key', case when n % 10 = 7 then 'tenant-' || n % 1000 end,
        'payload', jsonb_build_object('n', n, 'to', 'somebody-' || n || '@example.com', 'subject', 'Your weekly summary'))
    $$`);
  await sql.end();
  await Promise.all(Array.from({ length: LOADERS }, async (_, loader) => {
    const sql = database.connect();
    await sql`set statement_timeout = 0`;
    await sql.unsafe(`
      do $$
      declare
        v_ids uuid[];
        v_fence text;
      begin
        for turn in ${loader}..${Math.ceil(tasks / PER_TURN) - 1} by ${LOADERS} loop
          ${body}
          commit;
        end loop;
      end $$`);
    await sql.end();
  }));
}
