import type { BenchDatabase } from "../cluster.ts";
import { dibs } from "../contenders/dibs.ts";
import { withBacklog } from "../loaded.ts";
import { percentile } from "../percentile.ts";
import type { Cell, Figures, Scale } from "../workload.ts";

/** Finished between two looks of the tick. */
const BETWEEN = 50_000;

/**
 * How long `dibs_status` takes, and the tick's look at 50,000 tasks that were enqueued and finished
 * since the last, with so many finished tasks behind them: each in a run of its own, which is the
 * most there can be, or in batches of a hundred.
 */
export function statusCells({ quick, tasks = quick ? 100_000 : 10_000_000 }: Scale): Cell[] {
  const histories = [
    { name: "0 finished", finished: 0, batch: 1 },
    { name: "one by one", finished: tasks / 10, batch: 1 },
    { name: "one by one", finished: tasks, batch: 1 },
    { name: "in batches", finished: tasks, batch: 100 },
  ];
  return histories.map(({ name, finished, batch }) =>
    withBacklog(quick, (_, database) => load(database, finished, batch), {
      workload: "status",
      name: finished === 0 ? name : `${finished.toLocaleString("en")} finished ${name}`,
      contenders: [dibs],
      measure: (_, database) => measureStatus(database, quick ? 5_000 : BETWEEN, batch),
    })
  );
}

async function measureStatus(
  database: BenchDatabase,
  between: number,
  batch: number,
): Promise<Figures> {
  const sql = database.connect();
  const time = async (call: () => PromiseLike<unknown>, times: number) => {
    const took: number[] = [];
    for (let n = 0; n < times; n++) {
      const began = performance.now();
      await call();
      took.push(performance.now() - began);
    }
    return percentile(took, 0.5);
  };
  const status = () => sql`select dibs_status()`;
  await time(status, 3);
  const status_ms = await time(status, 20);
  await finish(sql, between, batch);
  const status_before_look_ms = await time(status, 5);
  const look_ms = await time(() => sql`select dibs.take_look()`, 1);
  await sql.end();
  return { status_ms, status_before_look_ms, look_ms };
}

/** Finished an hour ago, and looked at since. */
async function load(database: BenchDatabase, tasks: number, batch: number): Promise<void> {
  const sql = database.connect();
  const share = Math.min(tasks, 100_000);
  for (let done = 0; done < tasks; done += share) await finish(sql, share, batch, "1 hour");
  // The first look of all goes back further than any other.
  for (let looks = 0; looks < 2; looks++) {
    await sql`select dibs.take_look()`;
    await sql`update dibs.look set at = at - interval '1 minute' where true`;
  }
  await sql`select dibs.take_look()`;
  await sql.end();
}

/** Writes tasks as if they had been enqueued, claimed and settled so long ago. */
async function finish(
  sql: ReturnType<BenchDatabase["connect"]>,
  tasks: number,
  batch: number,
  ago = "0 s",
): Promise<void> {
  await sql`
    with page as (
      select nextval('dibs.task_page') as first from generate_series(1, ${
    Math.ceil(tasks / 100)
  }::int)
    ), run as materialized (
      select first + at as first, first + at + ${batch}::int as past
      from page, generate_series(0, 99, ${batch}::int) at
    ), logged as (
      insert into dibs.log (id, run_at, type, payload)
      select dibs.id_of(n, n), now(), 'bench', '{"subject": "Your weekly summary is ready to be read"}'
      from run, generate_series(first, past - 1) n
    )
    insert into dibs.outcome (run, started_at, completed_at, fence, status, worker_id, type)
    select int8multirange(int8range(first, past)), ended_at, ended_at, first, 'completed',
      'worker-1', 'bench'
    from run, lateral (select clock_timestamp() - ${ago}::interval as ended_at) t`;
}
