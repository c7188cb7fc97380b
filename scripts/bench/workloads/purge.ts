import { delay } from "@std/async/delay";
import type { BenchDatabase } from "../cluster.ts";
import type { Contender, Payload, Queue } from "../contender.ts";
import { dibs } from "../contenders/dibs.ts";
import { dibsPartitioned } from "../contenders/dibs_partitioned.ts";
import { withBacklog } from "../loaded.ts";
import { percentile } from "../percentile.ts";
import { type Cell, enqueueAll, type Figures, newTask, type Scale } from "../workload.ts";

const WORKERS = 2;
const BATCH = 10;
/** How long claims are watched without a purge, before it and after it. */
const QUIET_MS = 4_000;

/**
 * The rate of claims while finished tasks are purged, against that of the moments before and after.
 * In batches, as ticks do it, and then as if one tick came right after the other; in partitions, by
 * dropping them, which waits for everybody who has looked into the table and makes all others wait:
 * here for the transaction of a handler that takes a second.
 */
export function purgeCells({ quick, tasks = quick ? 20_000 : 1_000_000 }: Scale): Cell[] {
  const ended = `${tasks.toLocaleString("en")} ended`;
  const cell = (name: string, contender: Contender, purge: Purge): Cell =>
    withBacklog(quick, (_, database) => load(database, tasks), {
      workload: "purge",
      name: `${ended}, ${name}`,
      contenders: [contender],
      measure: (contender, database) => measurePurge(contender, database, purge, { quick, tasks }),
    });
  return [
    cell("a batch a second", dibs, (database) => purgeInBatches(database, 1_000)),
    cell("batch after batch", dibs, (database) => purgeInBatches(database, 0)),
    cell("drop the partition", dibsPartitioned, dropPartitions),
  ];
}

type Purge = (database: BenchDatabase) => Promise<void>;

async function measurePurge(
  contender: Contender,
  database: BenchDatabase,
  purge: Purge,
  { quick, tasks }: { quick: boolean; tasks: number },
): Promise<Figures> {
  const quietMs = quick ? QUIET_MS / 20 : QUIET_MS;
  const queue = await contender.open(database);
  const work = watchClaims(queue);
  await delay(quietMs / 4);
  const before = await work.during(() => delay(quietMs));
  const bytes = await bytesPerTask(database);
  const during = await work.during(() => purge(database));
  const after = await work.during(() => delay(quietMs));
  await work.end();
  await queue[Symbol.asyncDispose]();
  const usual = (before.rate + after.rate) / 2;
  return {
    purge_seconds: during.seconds,
    tasks_per_second: during.rate,
    tasks_per_second_without: usual,
    rate_against_without: during.rate / usual,
    call_p99_ms: percentile(during.calls, 0.99),
    call_p99_ms_without: percentile([...before.calls, ...after.calls], 0.99),
    call_longest_ms: Math.max(...during.calls),
    // What is dropped leaves nothing to fill again.
    ...contender.name === dibs.name &&
      { size_filled_again: await fillAgain(database, tasks, bytes) },
  };
}

/** Workers that find enough to do all the time, and what their calls are like at some time. */
function watchClaims(queue: Queue) {
  const enough = new AbortController();
  let executed = 0;
  let calls: number[] = [];
  const feeding = feed(queue, () => executed, enough.signal);
  const draining = queue.drain({
    workers: WORKERS,
    batch: BATCH,
    execute: (_: Payload) => void executed++,
    signal: enough.signal,
    untilAborted: true,
    onCall: (milliseconds) => calls.push(milliseconds),
  });
  return {
    async during(happens: () => Promise<void>) {
      const [began, first] = [performance.now(), executed];
      calls = [];
      await happens();
      const seconds = (performance.now() - began) / 1000;
      return { seconds, rate: (executed - first) / seconds, calls };
    },
    async end() {
      enough.abort();
      await Promise.all([feeding, draining]);
    },
  };
}

async function feed(queue: Queue, executed: () => number, signal: AbortSignal): Promise<void> {
  for (let enqueued = 0; !signal.aborted;) {
    if (enqueued - executed() >= 5_000) {
      await delay(2);
      continue;
    }
    await enqueueAll(queue, 1_000, newTask);
    enqueued += 1_000;
  }
}

/** As dibs.prune begins and ticks go on, the shortest turns there are. */
async function purgeInBatches(database: BenchDatabase, pauseMs: number): Promise<void> {
  const sql = database.connect();
  await sql`select dibs.configure('keep_ended_tasks', '1 day')`;
  for (let turn = 0;; turn++) {
    const [{ deleted }] = await sql`
      select dibs.go_on_pruning('-infinity', p_plan => ${turn === 0})::int as deleted`;
    if (deleted === 0) break;
    await delay(pauseMs);
  }
  await sql.end();
}

async function dropPartitions(database: BenchDatabase): Promise<void> {
  const [handler, sql] = [database.connect(), database.connect()];
  await handler`begin`;
  await handler`select from public.tasks limit 1`;
  const dropping = drop();
  await delay(1_000);
  await handler`commit`;
  await dropping;
  await Promise.all([handler.end(), sql.end()]);

  /** One after the other: both at once and claims deadlock. */
  async function drop() {
    await sql`drop table dibs.outcome_3`;
    await sql`drop table dibs.log_1_0`;
  }
}

/** How large the log is for each task once as many as were purged have been enqueued, against before. */
async function fillAgain(database: BenchDatabase, tasks: number, before: number): Promise<number> {
  await database.superuser`vacuum dibs.log`;
  await load(database, tasks);
  return await bytesPerTask(database) / before;
}

async function bytesPerTask({ superuser }: BenchDatabase): Promise<number> {
  const [{ bytes }] = await superuser`
    select pg_total_relation_size('dibs.log')::float8 / count(*) as bytes from dibs.log`;
  return bytes;
}

/** Tasks that ended three days ago, as if they had been worked off in batches of a hundred. */
async function load(database: BenchDatabase, tasks: number): Promise<void> {
  const sql = database.connect();
  await sql.unsafe(`
    do $$
    declare
      v_tasks jsonb := (
        select jsonb_agg(jsonb_build_object('type', 'bench', 'payload', jsonb_build_object('n', n, 'to',
          'somebody-' || n || '@example.com', 'subject', 'Your weekly summary is ready to be read')))
        from generate_series(0, 999) n);
    begin
      for turn in 1..${tasks / 1000} loop
        perform count(*) from public.enqueue_tasks(v_tasks);
        with gone as (delete from dibs.ready where true returning *)
        insert into dibs.outcome (run, started_at, completed_at, fence, status, worker_id, type)
          select run, now(), now() - interval '3 days', turn, 'completed', 'worker', type from gone;
        commit;
      end loop;
    end $$`);
  // What is enqueued from now on is of another day.
  await sql`select setval('dibs.task_page', ${2 ** 46 + 6_000_000_000})`;
  await sql.end();
}
