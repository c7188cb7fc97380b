import type { Sql } from "postgres";
import { WORK } from "./thoughts.ts";

/**
 * Adds tasks, as a superuser: of each ten four wait in runs of a hundred, of type `many`, and four
 * completed; one waits alone, of type `single`, with a unique key and a failed attempt, and one failed.
 */
export async function addTasks(sql: Sql, count: number): Promise<void> {
  await sql`insert into dibs.lane select t, 0 from unnest(array['many', 'single']) t on conflict do nothing`;
  await sql`
    with run as materialized (
      select nextval('dibs.task_page') as first, 100 as length, 'many' as type, null::text as key, n % 2 = 0 as waits
      from generate_series(1, ${count * 0.8 / 100}::int) n
      union all
      select task, 1, 'single', 'key ' || task, n % 2 = 0
      from (select n, nextval('dibs.task_number') as task from generate_series(1, ${
    count * 0.2
  }::int) n) single
    ), logged as (
      insert into dibs.log (id, type, run_at, unique_key)
      select encode(int8send(task << 16 | 32768)
          || int8send(hashint8extended(task, seed) & 4611686018427387903 | (-9223372036854775808)), 'hex')::uuid,
        type, now() - interval '1 h', key
      from dibs.id_seed, run, generate_series(first, first + length - 1) task
    ), tried as (
      insert into dibs.attempt (task, n, outcome, ended_at) select first, 1, 'failed', now() from run where key <> ''
    ), keyed as (
      insert into dibs.unique_key select type, key, first from run where key <> '' and waits
    ), ended as (
      insert into dibs.outcome (run, completed_at, status)
      select int8multirange(int8range(first, first + length)), now(), case type when 'many' then 'completed' else 'failed' end
      from run where not waits
    )
    insert into dibs.ready (type, priority, run_at, run, plain)
    select type, 0, now() - interval '1 h', int8multirange(int8range(first, first + length)), type = 'many' from run where waits`;
}

/**
 * Adds rows of thoughts, as a superuser: of each four thoughts three have a claim, one of them open,
 * all long before their end; the fourth has been tried. `before` is how many rows there are already.
 */
export async function addThoughts(sql: Sql, before: number, rows: number): Promise<void> {
  const [first, last] = [before / 2 + 1, (before + rows) / 2];
  await sql.begin(async (sql) => {
    // That each claim has its thought need not be checked a million times.
    await sql`set local session_replication_role = replica`;
    await sql`
      with thought as materialized (
        select n, encode(int8send(n << 16) || int8send(n), 'hex')::uuid as id
        from generate_series(${first}::bigint, ${last}::bigint) n
      ), written as (
        insert into public.thoughts (id, content) select id, 'thought' from thought
      ), tried as (
        insert into dibs.thought_attempt (thought_id, work_type, attempts)
        select id, ${WORK}, 1 from thought where n % 4 = 0
      )
      insert into public.thought_work_claims (thought_id, work_type, worker_id, ttl_expires_at, status, fence)
      select id, ${WORK}, 'other', now() + interval '1 h',
        (array['claimed', 'succeeded', 'failed'])[n % 4], -(n / 100)
      from thought where n % 4 > 0`;
  });
}
