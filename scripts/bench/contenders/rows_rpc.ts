import { createClient } from "@supabase/supabase-js";
import { type Caller, drainByCalls } from "../calls.ts";
import type { Contender, DrainOptions, Payload } from "../contender.ts";
import { type BenchProject, startProject } from "../project.ts";
import { dibs } from "./dibs.ts";

/** No queue, but what the data API can do at best: supabase-js calls a function that reads rows. */
export const rowsRpc: Contender = {
  name: "rows_rpc",
  keeps: "nothing: it only reads",
  batches: true,
  priorities: false,
  delays: false,
  types: false,
  // What the data API does for a call grows with the tables and views it finds.
  install: dibs.install,
  async open(database) {
    const sql = database.connect();
    await sql.unsafe(ROWS);
    const project = await startProject(database);
    return {
      async enqueue(tasks) {
        const payloads = tasks.map(({ payload }) => ({ ...payload }));
        await sql`
          insert into bench_rows (n, payload)
          select (payload ->> 'n')::int, payload
          from jsonb_array_elements(${sql.json(payloads)}) payload`;
      },
      drain: (options) => drainByCalls(newCallers(project, options), options),
      left: () => Promise.resolve(0),
      async [Symbol.asyncDispose]() {
        await sql.end();
        await project[Symbol.asyncDispose]();
      },
    };
  },
};

/** Together they read every row once. */
function newCallers({ url, secretKey }: BenchProject, { workers, batch }: DrainOptions): Caller[] {
  const supabase = createClient(url, secretKey, { auth: { persistSession: false } });
  let read = 0;
  return Array.from({ length: workers }, () => ({
    async next() {
      const p_from = read;
      read += batch;
      const { data, error } = await supabase.rpc("read_rows", { p_from, p_limit: batch });
      if (error) throw new Error(error.message);
      return data.map(({ payload }: { payload: Payload }) => payload);
    },
    async finish() {},
  }));
}

/** Rows with the columns of a granted task. As rows they come a little faster than as one json. */
const ROWS = `
create table public.bench_rows (
  n int primary key,
  id uuid not null default gen_random_uuid(),
  type text not null default 'bench',
  payload jsonb not null,
  attempt int not null default 1,
  max_attempts int not null default 5
);

create function public.read_rows(p_from int, p_limit int)
returns table (id uuid, type text, payload jsonb, attempt int, max_attempts int)
language sql stable as $$
  select id, type, payload, attempt, max_attempts from public.bench_rows
  where n >= p_from order by n limit p_limit
$$;

grant select on public.bench_rows to service_role;
grant execute on function public.read_rows to service_role`;
