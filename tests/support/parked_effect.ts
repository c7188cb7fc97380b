import type { Sql } from "postgres";

/** A task that failed for good, with an effect of which nobody knows whether it happened. */
export async function parkEffect(
  sql: Sql,
  { type, error }: { type: string; error: string },
): Promise<void> {
  await sql`select create_task(${type})`;
  const [{ id, fence }] = await sql`select * from claim_tasks('worker-1', array[${type}])`;
  const outcome = { id, status: "failed", permanent: true, error };
  await sql`select settle_lease(${fence}, ${sql.json([outcome])})`;
  await sql`
    insert into dibs.effect (id, key, mode, state, fence, begun_at)
    values (${id}, 'card', 'at_most_once', 'parked', ${fence}, now())`;
}
