import type { BenchDatabase } from "../cluster.ts";

const LOADERS = 2;
const PER_TURN = 1_000;

/** Tasks that wait, each for itself, as if they had been enqueued one by one. */
export async function loadPending(database: BenchDatabase, tasks: number): Promise<void> {
  await inTurns(
    database,
    tasks,
    `perform from public.enqueue_tasks((
       select jsonb_agg(dibs_bench.task(n))
       from generate_series(turn * ${PER_TURN}, turn * ${PER_TURN} + ${PER_TURN - 1}) n));`,
  );
  await database.superuser`set statement_timeout = 0`;
  await database.superuser`
    with gone as (delete from dibs.ready where true returning *)
    insert into dibs.ready (run_at, run, priority, plain, type)
    select run_at + task % 60000 * interval '1 ms', int8multirange(int8range(task, task + 1)), priority, plain, type
    from gone, dibs.tasks_in(gone.run) task`;
}

/** Tasks that ended, one in a hundred of them by failing; as if they had been worked off in batches. */
export async function loadFinished(database: BenchDatabase, tasks: number): Promise<void> {
  await inTurns(
    database,
    tasks,
    `perform from public.enqueue_tasks((
       select jsonb_agg(dibs_bench.task(n))
       from generate_series(turn * ${PER_TURN}, turn * ${PER_TURN} + ${PER_TURN - 11}) n));
     with gone as (delete from dibs.ready where true returning *)
     insert into dibs.outcome (run, started_at, completed_at, fence, status, worker_id, type)
       select run, now(), now(), turn, 'completed', 'worker-' || turn % 20, type from gone;
     perform from public.enqueue_tasks((
       select jsonb_agg(dibs_bench.task(turn * ${PER_TURN})) from generate_series(1, 10)));
     perform public.settle_lease(c.fence, c.outcomes) from (
       select min(fence) as fence, jsonb_agg(jsonb_build_object('id', id, 'status', 'failed', 'permanent', true,
         'error', 'HTTP 422: no such address ' || turn)) as outcomes
       from public.claim_tasks('worker-' || turn % 20, null, 10)) c
     where c.fence is not null;`,
  );
}

/** What the tick would have noted of a busy week: a row per type and hour, and per minute of the last day. */
export async function loadStatistics({ superuser }: BenchDatabase): Promise<void> {
  await superuser`
    insert into dibs.statistic
    select span, date_bin(step, now(), 'epoch') - n * step, 'type_' || k, 60, 60, 59, 1, 1, 0, 6000, 6000,
      '{"40": 30, "44": 29, "52": 1}', '{"28": 40, "32": 19, "40": 1}'
    from (values ('minute', interval '1 minute', 1440), ('hour', interval '1 hour', 168)) s(span, step, steps),
      generate_series(1, steps) n, generate_series(0, 9) k
    on conflict do nothing`;
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
      begin
        for turn in ${loader}..${Math.ceil(tasks / PER_TURN) - 1} by ${LOADERS} loop
          ${body}
          commit;
        end loop;
      end $$`);
    await sql.end();
  }));
}
