import type { Sql } from "postgres";
import { type Caller, connect, drainOverConnections } from "../calls.ts";
import type { Contender, Payload } from "../contender.ts";

/** What most guides build: one table, a claim function, an update when the task is done. */
export const guide: Contender = {
  name: "guide",
  keeps: "one row per task; no lease, attempt or fence",
  batches: false,
  priorities: false,
  delays: false,
  types: true,
  async install(database) {
    await database.connect().unsafe(TABLE);
  },
  async open(database) {
    const sql = await connect(database);
    return {
      async enqueue(tasks) {
        const items = tasks.map(({ type = "bench", payload }) => ({
          type,
          payload: { ...payload },
        }));
        await sql`
          insert into tasks (type, payload)
          select task ->> 'type', task -> 'payload'
          from jsonb_array_elements(${sql.json(items)}) task`;
      },
      drain: (options) => drainOverConnections(database, newCaller, options),
      claim: async () => (await sql`select * from claim_task()`).length,
      async left() {
        const [{ left }] = await sql`
          select count(*)::int as left from tasks where status <> 'completed'`;
        return left;
      },
      [Symbol.asyncDispose]: () => sql.end(),
    };
  },
};

function newCaller(sql: Sql): Caller {
  let held: string | null = null;
  const finish = async () => {
    if (held === null) return;
    await sql`update tasks set status = 'completed', completed_at = now() where id = ${held}`;
    held = null;
  };
  return {
    async next() {
      await finish();
      const tasks = await sql<{ id: string; payload: Payload }[]>`select * from claim_task()`;
      held = tasks[0]?.id ?? null;
      return tasks.map((task) => task.payload);
    },
    finish,
  };
}

const TABLE = `
create table tasks (
  id uuid primary key default gen_random_uuid(),
  type text not null,
  payload jsonb not null default '{}',
  status text not null default 'pending',
  created_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  error text
);
create index tasks_pending on tasks (created_at) where status = 'pending';

create function claim_task() returns setof tasks language sql as $$
  update tasks set status = 'processing', started_at = now()
  where id = (
    select id from tasks where status = 'pending' order by created_at limit 1
    for update skip locked)
  returning *
$$`;
