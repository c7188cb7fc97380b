import type { Sql } from "postgres";
import type { Regime } from "../../scripts/stack/bootstrap.ts";
import { freshDatabase, type TestDatabase } from "./database.ts";

/** What a project has that keeps its tasks in a plain table, and functions that work on it. */
export const PLAIN_TASKS = `
create table public.tasks (
  id uuid primary key default gen_random_uuid(),
  type text not null,
  payload jsonb not null default '{}',
  status text not null default 'pending'
    constraint status_is_known check (status in ('pending', 'processing', 'completed', 'failed')),
  created_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  error text
);
create index tasks_pending on public.tasks (created_at) where status = 'pending';
create function public.claim_task() returns setof public.tasks language sql as $$
  update public.tasks set status = 'processing', started_at = now()
  where id = (
    select id from public.tasks where status = 'pending' order by created_at limit 1 for update skip locked)
  returning *
$$;
create function public.create_task(p_type text, p_payload jsonb) returns uuid language sql as $$
  insert into public.tasks (type, payload) values (p_type, p_payload) returning id
$$;
`;

/**
 * Rows for that table: of each ten four wait, one of them not for the first time, one is being worked
 * on, four completed and one failed. Two types alternate, and some came at the same moment.
 */
export const PLAIN_ROWS = (count: number) => `
insert into public.tasks (type, payload, status, created_at, started_at, completed_at, error)
select case when n % 3 = 0 then 'email' else 'import' end, jsonb_build_object('n', n), status, at,
  case when status <> 'pending' then at + interval '1 min' end,
  case when status in ('completed', 'failed') then at + interval '2 min' end,
  case when status = 'failed' or n % 10 = 0 then 'no luck with ' || n end
from generate_series(1, ${count}) n,
  lateral (select timestamptz '2026-01-01' + n / 7 * interval '1 s' as at) at,
  lateral (select (array['pending', 'pending', 'pending', 'pending', 'processing', 'completed', 'completed',
    'completed', 'completed', 'failed'])[n % 10 + 1] as status) status;
`;

/** The database of such a project, with so many tasks and without Dibs. */
export async function plainTasks(count: number, regime: Regime = "hidden"): Promise<TestDatabase> {
  const db = await freshDatabase({ migrated: false, regime });
  await db.sql.unsafe(PLAIN_TASKS + PLAIN_ROWS(count));
  return db;
}

/** What tasks are, by the id that each had in the plain table. */
export async function byFormerId(sql: Sql, table: "tasks" | "tasks_before_dibs") {
  const id = table === "tasks" ? "unique_key::uuid" : "id";
  const rows = await sql.unsafe(`
    select ${id} as former, type, payload, status, created_at, completed_at, error,
      case when status <> 'processing' then started_at end as started_at
    from public.${table} order by 1`);
  return [...rows];
}
