import { connected } from "./connection.ts";
import { WORK_TYPE } from "./workload.ts";

/** The kind of work for which rivals claim the same few thoughts. */
export const CONTEST = "chaos_contest";
export const CONTEST_LEASE_SECONDS = 2;
/** Whose claims keep those thoughts out of the way of all other work. */
export const NOBODY = "nobody";

const THOUGHTS = 200;
const CALL_MS = 5_000;

/** Makes the thoughts that rivals contend for, and returns how they are named in the history. */
export async function prepareContest(databaseUrl: string): Promise<string[]> {
  const rows = await connected(databaseUrl, (sql) =>
    sql<{ name: string }[]>`
    with thought as (
      insert into public.thoughts (content) select 'works' from generate_series(1, ${THOUGHTS}) returning id
    )
    insert into public.thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at, status)
    select id, ${WORK_TYPE}, ${NOBODY}, now() + interval '1 hour', 'succeeded' from thought
    returning 'contested ' || thought_id as name`, CALL_MS);
  return rows.map(({ name }) => name);
}
