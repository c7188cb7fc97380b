import type { Sql } from "postgres";
import { type BenchDatabase, untilUnused } from "../cluster.ts";
import { dibs } from "../contenders/dibs.ts";
import { type Cell, enqueueAll, type Figures, newTask, type Scale } from "../workload.ts";

const WORKERS = 4;

/** What the settings of `dibs.ready` are good for: the same work with them and with the defaults. */
export function tablesCells({ quick, tasks = quick ? 1_000 : 30_000 }: Scale): Cell[] {
  return [true, false].map((own) => ({
    workload: "tables",
    name: own ? "as they are set" : "with the defaults",
    contenders: [dibs],
    async measure(contender, database) {
      if (!own) {
        await database.superuser`alter table dibs.ready reset (
          autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)`;
      }
      const queue = await contender.open(database);
      // A backlog that stays, each task at its own time: by default it puts a vacuum off.
      await enqueueAll(queue, 2 * tasks, (n) => ({ ...newTask(n), delaySeconds: 86_400 + n }));
      await enqueueAll(queue, tasks, newTask);
      await queue[Symbol.asyncDispose]();
      await database.superuser`vacuum analyze dibs.ready`;
      await using _ = await vacuumOften(database);
      await Promise.all(Array.from({ length: WORKERS }, () => workOff(database.connect())));
      const pages = await countPages(database);
      return { ...pages, heap_only_renewals: await measureRenewals(database, tasks / 10) };
    },
  }));
}

/** Looks once a second whether there is something to vacuum, not once a minute. */
async function vacuumOften({ superuser }: BenchDatabase): Promise<AsyncDisposable> {
  const set = async (change: string) => {
    await superuser.unsafe(`alter system ${change}`);
    await superuser`select pg_reload_conf()`;
  };
  await set("set autovacuum_naptime = '1s'");
  return { [Symbol.asyncDispose]: () => set("reset autovacuum_naptime") };
}

/** One task at a time, which makes the most leases. */
async function workOff(sql: Sql): Promise<void> {
  let fence: string | null = "0";
  while (fence !== null) {
    [{ fence }] = await sql`
      select public.settle_and_claim_tasks(${fence}, '[]', 'succeeded', 'worker', null, 1) ->> 'fence' as fence`;
  }
  await sql.end();
}

async function countPages({ superuser }: BenchDatabase): Promise<Figures> {
  const [pages] = await superuser`
    select pg_relation_size('dibs.ready') / 8192 as ready_pages,
      pg_indexes_size('dibs.ready') / 8192 as ready_index_pages,
      pg_relation_size('dibs.lease') / 8192 as lease_pages`;
  return Object.fromEntries(Object.entries(pages).map(([name, value]) => [name, Number(value)]));
}

/** The share of renewals, with progress, that wrote no index entry. */
async function measureRenewals(database: BenchDatabase, renewals: number): Promise<number> {
  const sql = database.connect();
  const leases: { fence: string; id: string }[] = [];
  await sql`
    select count(create_task('renewed', '{}')) from generate_series(1, 10)`;
  for (let n = 0; n < 10; n++) {
    leases.push(
      ...await sql<{ fence: string; id: string }[]>`
      select fence, id from public.claim_tasks('worker', '{renewed}')`,
    );
  }
  for (let n = 0; n < renewals; n++) {
    const { fence, id } = leases[n % leases.length];
    await sql`select count(*) from public.renew_lease(${fence}, 60, ${sql.json({ [id]: { n } })})`;
  }
  await sql.end();
  // A connection hands in its statistics when it ends.
  await untilUnused(database.superuser, database.name);
  const [{ share }] = await database.superuser`
    select sum(n_tup_hot_upd) / nullif(sum(n_tup_upd), 0)::float as share from pg_stat_user_tables
    where relname in ('lease', 'progress')`;
  return Number(share);
}
