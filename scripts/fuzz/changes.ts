import postgres from "postgres";

/** Tells which rows were changed, by whomever: PostgreSQL's own account of what was committed. */
export interface Changes extends AsyncDisposable {
  /** Each table and what was done to it since this was asked last, as in `dibs.log: INSERT`. */
  news(): Promise<string[]>;
}

/** What PostgreSQL must be started with. */
export const CHANGE_SETTINGS = { wal_level: "logical" };

/** Begins to watch a database, as its superuser. */
export async function watchChanges(adminDatabaseUrl: string): Promise<Changes> {
  // One connection: the slot goes with it.
  const sql = postgres(adminDatabaseUrl, { max: 1, onnotice: () => {} });
  await sql`select pg_create_logical_replication_slot('fuzz', 'test_decoding', true)`;
  let seen = "";
  return {
    async news() {
      // Whoever changes a row takes a transaction id, and mostly nobody did.
      const [{ next }] = await sql`select pg_snapshot_xmax(pg_current_snapshot())::text as next`;
      if (next === seen) return [];
      seen = next;
      const rows = await sql`
        select distinct substring(data from '^table (\\S+: [A-Z]+)') as change
        from pg_logical_slot_get_changes('fuzz', null, null, 'skip-empty-xacts', '1')
        where data like 'table %' order by 1`;
      return rows.map(({ change }) => change);
    },
    [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }),
  };
}
