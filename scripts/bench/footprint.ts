import { type BenchDatabase, untilUnused } from "./cluster.ts";

/** What work left behind in a database, per task. */
export interface Footprint {
  wal_bytes_per_task: number;
  bytes_left_per_task: number;
  rows_left_per_task: number;
  /** Rows updated or deleted, vacuumed since or not: that does not hang on autovacuum's timing. */
  dead_rows_per_task: number;
}

/** Notes what a database is like before, and tells afterwards what was added per task. */
export async function startFootprint(database: BenchDatabase) {
  const before = await look(database);
  return {
    async end(tasks: number): Promise<Footprint> {
      // A connection hands in its statistics when it ends.
      await untilUnused(database.superuser, database.name);
      const after = await look(database);
      return {
        wal_bytes_per_task: (after.wal - before.wal) / tasks,
        bytes_left_per_task: (after.size - before.size) / tasks,
        rows_left_per_task: (after.rows - before.rows) / tasks,
        dead_rows_per_task: (after.dead - before.dead) / tasks,
      };
    },
  };
}

/** Over all schemas: every contender has its own. */
async function look({ superuser }: BenchDatabase) {
  const [{ wal, size, rows, dead }] = await superuser`
    select pg_current_wal_insert_lsn() - '0/0' as wal, pg_database_size(current_database()) as size,
      coalesce(sum(n_tup_ins - n_tup_del), 0) as rows,
      coalesce(sum(n_tup_upd + n_tup_del), 0) as dead
    from pg_stat_user_tables`;
  return { wal: Number(wal), size: Number(size), rows: Number(rows), dead: Number(dead) };
}
