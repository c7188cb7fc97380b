import type { Sql } from "postgres";
import { type BenchDatabase, untilUnused } from "../cluster.ts";
import { dibs } from "../contenders/dibs.ts";
import { type Cell, type Figures, newTask, type Scale } from "../workload.ts";

/** A way a task may go, from enqueueing to its end. */
interface Path {
  batch: number;
  /** As `enqueue_tasks` takes it; one by one through `create_task` when not given. */
  item?: (n: number) => Record<string, unknown>;
  /** What a worker reports of its tasks; that they succeeded, when not given. */
  report?: (task: { id: string; attempt: number }) => Record<string, unknown>;
}

const bulk = (n: number) => ({ type: "bench", payload: newTask(n).payload });
const inAnHourAtMost = (n: number) => new Date(Date.now() - (n * 7919 % 3600) * 1000).toISOString();

const PATHS: Record<string, Path> = {
  "in bulk, b100": { batch: 100, item: bulk },
  "in bulk, b10": { batch: 10, item: bulk },
  "in bulk, b1": { batch: 1, item: bulk },
  "one by one, b100": { batch: 100 },
  "one by one, b1": { batch: 1 },
  "own run_at each, b100": { batch: 100, item: (n) => ({ ...bulk(n), run_at: inAnHourAtMost(n) }) },
  "unique key, b100": { batch: 100, item: (n) => ({ ...bulk(n), unique_key: `key-${n}` }) },
  "with a result, b100": {
    batch: 100,
    item: bulk,
    report: ({ id }) => ({ id, status: "succeeded", result: { sent: true } }),
  },
  "all fail once, b100": {
    batch: 100,
    item: bulk,
    report: ({ id, attempt }) =>
      attempt > 1 ? { id, status: "succeeded" } : { id, status: "failed", error: "no" },
  },
};

/** What a task writes on each path: no rates, so one worker and few tasks do. Only Dibs. */
export function costsCells({ quick, tasks = quick ? 1_000 : 10_000 }: Scale): Cell[] {
  return Object.entries(PATHS).map(([name, path]) => ({
    workload: "costs",
    name,
    contenders: [dibs],
    measure: (_, database) => measureCosts(database, path, tasks),
  }));
}

async function measureCosts(database: BenchDatabase, path: Path, tasks: number): Promise<Figures> {
  const { superuser } = database;
  await superuser`
    create or replace function dibs.backoff(p_failures int) returns interval
      language sql volatile set search_path = '' as $$ select interval '0' $$`;
  const sql = database.connect();
  const before = await look(superuser);
  for (let first = 0; first < tasks; first += 1000) await enqueue(sql, path, first);
  const between = await look(superuser);
  await drain(sql, path);
  await sql.end();
  await untilUnused(superuser, database.name);
  const after = await look(superuser);
  return {
    rows_written_per_task: (after.rows - before.rows) / tasks,
    index_entries_per_task: (after.entries - before.entries) / tasks,
    wal_to_enqueue_per_task: (between.wal - before.wal) / tasks,
    wal_to_work_per_task: (after.wal - between.wal) / tasks,
  };
}

async function enqueue(sql: Sql, { item }: Path, first: number): Promise<void> {
  const numbers = Array.from({ length: 1000 }, (_, i) => first + i);
  if (item) {
    await sql`select count(*) from public.enqueue_tasks(${sql.json(numbers.map(item) as never)})`;
    return;
  }
  for (const n of numbers) {
    await sql`select public.create_task('bench', ${sql.json({ ...newTask(n).payload })})`;
  }
}

interface Answer {
  fence: string | null;
  tasks: { id: string; attempt: number }[];
}

async function drain(sql: Sql, { batch, report }: Path): Promise<void> {
  // The first call settles a lease that never was.
  let answer: Answer = { fence: "0", tasks: [] };
  while (answer.fence !== null) {
    const outcomes = report ? answer.tasks.map(report) : [];
    [{ answer }] = await sql<[{ answer: Answer }]>`
      select public.settle_and_claim_tasks(
        ${answer.fence}, ${
      sql.json(outcomes as never)
    }, 'succeeded', 'worker', null, ${batch}) as answer`;
  }
}

/** Rows and index entries written so far, by all; heap-only updates write no entry. */
async function look(superuser: Sql) {
  const [{ rows, entries, wal }] = await superuser`
    select sum(n_tup_ins + n_tup_upd) as rows, pg_current_wal_insert_lsn() - '0/0' as wal,
      sum((n_tup_ins + n_tup_upd - n_tup_hot_upd) * indexes) as entries
    from pg_stat_user_tables,
      lateral (select count(*) as indexes from pg_index where indrelid = relid and indpred is null) i`;
  return { rows: Number(rows), entries: Number(entries), wal: Number(wal) };
}
