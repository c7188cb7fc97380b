import type { Sql } from "postgres";

/** What a call has read of the tables of tasks and thoughts. */
export interface Reads {
  rows: number;
  /** Of tables and their indexes, the same one counted as often as it was looked at. */
  pages: number;
  /** Tables that were read from one end to the other, but for short ones. */
  scanned: string[];
}

/** What a call answers and reads, without what its transaction read before. */
export async function readsOf<T>(
  sql: Sql,
  call: () => PromiseLike<T>,
): Promise<Reads & { answer: T }> {
  const before = await countReads(sql);
  const answer = await call();
  const after = await countReads(sql);
  return {
    answer,
    rows: sum(after, "rows") - sum(before, "rows"),
    pages: sum(after, "pages") - sum(before, "pages"),
    scanned: after.filter(({ name, scans }, n) => !SHORT.includes(name) && scans > before[n].scans)
      .map((
        { name },
      ) => name),
  };
}

interface TableReads {
  name: string;
  rows: number;
  pages: number;
  scans: number;
}

/** Reads so far in this transaction, of the tables that grow. */
async function countReads(sql: Sql): Promise<TableReads[]> {
  return [
    ...await sql<TableReads[]>`
      select relname as name, seq_scan::int as scans, (seq_tup_read + coalesce(idx_tup_fetch, 0))::int as rows,
        (select sum(pg_stat_get_xact_blocks_fetched(r)) from (
          select relid as r union all select indexrelid from pg_index where indrelid = relid) r)::int as pages
      from pg_stat_xact_user_tables
      where schemaname in ('dibs', 'public') and relname <> all (${SMALL}) order by relid`,
  ];
}

/** Of a row or a few, for ever; or of what is of late only. */
const SMALL = ["id_seed", "settings", "lane", "hint", "dispatch", "thought_pass", "reap_hint"];

/** A lease per worker, and what no test fills: their rows count, but an index is not worth while. */
const SHORT = ["lease", "result", "progress", "waiting", "untold", "task_key", "gated"];

const sum = (tables: TableReads[], what: "rows" | "pages") =>
  tables.reduce((total, table) => total + table[what], 0);
