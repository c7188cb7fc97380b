import type { Sql } from "postgres";
import { connected } from "./connection.ts";
import { EACH_KEY_MOST, GATED_TYPE, NARROW_KEY, NARROW_MOST } from "./workload.ts";

const CALL_MS = 5_000;

/** Limits the keys that tasks have. */
export async function setLimits(databaseUrl: string): Promise<void> {
  await connected(databaseUrl, async (sql) => {
    await sql`select set_task_limit(${GATED_TYPE}, ${EACH_KEY_MOST}, p_each_key => true)`;
    await sql`select set_task_limit(${GATED_TYPE}, ${NARROW_MOST}, ${NARROW_KEY})`;
  }, CALL_MS);
}

/** The grants of a task of a limited key while as many of it as may were held. */
export async function findOverLimits(sql: Sql): Promise<string[]> {
  // What counts is what a transaction leaves behind: a claim may take back what expired, grant it anew with
  // others, and put some of it back, before anybody else sees any of that.
  const rows = await sql<{ says: string }[]>`
    with changed as (
      select type, key, max(n) as n, sum(case event when 'granted' then 1 else -1 end) as change,
        string_agg(distinct item, ' ') filter (where event = 'granted') as granted
      from chaos.gated_history where key is not null and event in ('granted', 'left')
      group by type, key, xact
    ), counted as (
      select *, sum(change) over (partition by type, key order by n) as held from changed
    )
    select format('%s: then %s of %s were held', granted, held, key) as says
    from counted
    where change > 0 and held > case key when ${NARROW_KEY} then ${NARROW_MOST}::int else ${EACH_KEY_MOST}::int end`;
  return rows.map(({ says }) => says);
}

/** The tasks of an order key that were granted before one had ended that was enqueued earlier. */
export async function findOutOfOrder(sql: Sql): Promise<string[]> {
  const rows = await sql<{ says: string }[]>`
    with changed as (
      select type, order_key, item, xact, min(n) filter (where event = 'granted') as granted,
        min(n) filter (where event in ('completed', 'failed_for_good', 'cancelled')) as ended,
        count(*) filter (where event = 'granted') > count(*) filter (where event = 'left') as is_held
      from chaos.gated_history where order_key is not null group by type, order_key, item, xact
    ), task as (
      select type, order_key, item, substr(item, length('task-') + 1)::int as place,
        min(granted) filter (where is_held) as granted, min(ended) as ended
      from changed group by type, order_key, item
    ), following as (
      select *, max(coalesce(ended, 'infinity'::float8)) over (
        partition by type, order_key order by place rows between unbounded preceding and 1 preceding) as others_ended
      from task
    )
    select format('%s: granted before those ahead of it in %s had ended', item, order_key) as says
    from following where granted < others_ended`;
  return rows.map(({ says }) => says);
}
