import postgres, { type Sql } from "postgres";
import type { Surface } from "../record/record.ts";

/** What Dibs's own tables say, for comparison with the record. */
export interface Books extends AsyncDisposable {
  /** How many of these have ended well. */
  completed(surface: Surface, ids: string[]): Promise<number>;
  /** How many drains dispatch planned since the books were opened. */
  drains(): Promise<number>;
}

/** Opens the books. While they are open, dispatch also keeps this work type going. */
export async function openBooks(databaseUrl: string, workType: string): Promise<Books> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  const [{ id: lastDispatch }] = await sql`select coalesce(max(id), 0) as id from dibs.dispatch`;
  const close = await dispatchToo(sql, workType);
  return {
    async completed(surface, ids) {
      const [{ count }] = surface === "tasks"
        ? await sql`
          select count(*)::int from public.tasks
          where id = any (${ids}::uuid[]) and status = 'completed'`
        : await sql`
          select count(*)::int from public.thought_work_claims
          where thought_id = any (${ids}::uuid[]) and work_type = ${workType}
            and status = 'succeeded'`;
      return count;
    },
    async drains() {
      const [{ drains }] = await sql`
        select coalesce(sum(drains), 0)::int as drains from dibs.dispatch
        where id > ${lastDispatch}`;
      return drains;
    },
    async [Symbol.asyncDispose]() {
      await close();
      await sql.end();
    },
  };
}

/** Returns how to undo it. */
async function dispatchToo(sql: Sql, workType: string): Promise<() => Promise<void>> {
  const [{ before }] = await sql`select dispatch_work_types as before from dibs.settings`;
  await sql`
    update dibs.settings
    set dispatch_work_types = ${[...new Set([...before, workType])]} where only_row`;
  return async () => {
    await sql`update dibs.settings set dispatch_work_types = ${before} where only_row`;
  };
}
