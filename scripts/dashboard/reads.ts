import { z } from "zod";
import { ApiError } from "../../functions/_shared/errors.ts";
import { examine } from "../doctor/examine.ts";
import { FilterText, Name, Uuid } from "./fields.ts";
import type { Reached } from "./project.ts";
import { RANGE_NAMES, RANGES } from "./ranges.ts";
import { redact, type Redaction } from "./redact.ts";

/** One thing the page may ask for: parameters of a query string, and what answers it. */
interface Read {
  params: z.ZodType<Record<string, unknown>>;
  answer(reached: Reached, params: Record<string, unknown>, hidden: Redaction): Promise<unknown>;
}

const Limit = z.coerce.number().int().min(1).max(200).default(50);
const None = z.object({});
/** What hosted data APIs give at most at a time, and after how many such pages there is enough. */
const ROWS_A_PAGE = 1_000;
const MOST_PAGES = 20;

/** All that the page may ask for; there is no other way to the database from it. */
export const READS: Record<string, Read> = {
  overview: read(None, async ({ url, rpc }) => {
    return { project: new URL(url).host, status: await rpc.callYours("dibs_status", {}) };
  }),
  backlog: read(z.object({ type: Name.optional() }), ({ rpc }, { type }) => {
    return rpc.callYours("task_backlog", { p_type: type ?? null });
  }),
  statistics: read(z.object({ range: z.enum(RANGE_NAMES).default("1h") }), ({ rpc }, { range }) => {
    const { seconds, step } = RANGES[range];
    const args = { p_since: `${seconds} seconds`, p_step: `${step} seconds` };
    return readPages(rpc, "task_statistics", args);
  }),
  tasks: read(
    z.object({ filter: FilterText, limit: Limit, before: z.string().max(200).optional() }),
    ({ rpc }, { filter, limit, before }) =>
      rpc.callYours("find_tasks", { p_filter: filter, p_limit: limit, p_before: before ?? null }),
  ),
  task: read(z.object({ id: Uuid }), readTask),
  workers: read(None, ({ rpc }) => rpc.callYours("workers", {})),
  claims: read(None, ({ rpc }) => rpc.callYours("claim_progress", {})),
  failed_rows: read(
    z.object({ source: Name, work_type: Name, limit: Limit }),
    ({ rpc }, { source, work_type, limit }) =>
      rpc.callYours("failed_rows", { p_source: source, p_work_type: work_type, p_limit: limit }),
  ),
  gates: read(None, async ({ rpc }) => {
    const [tasks, claims] = await Promise.all([
      rpc.callYours("task_gates", {}),
      rpc.callYours("claim_gates", {}),
    ]);
    return { tasks, claims };
  }),
  schedules: read(None, async ({ rpc }, _, hidden) => {
    const schedules = await rpc.callYours("schedules", {}) as { payload: unknown }[];
    return schedules.map((row) => ({ ...row, payload: redact(row.payload, hidden) }));
  }),
  effects: read(z.object({ limit: Limit }), ({ rpc }, { limit }) => {
    return rpc.callYours("parked_effects", { p_limit: limit });
  }),
  dispatches: read(z.object({ limit: Limit }), async ({ rpc }, { limit }) => {
    const [status, dispatches] = await Promise.all([
      rpc.callYours("dibs_status", {}) as Promise<{ dispatch: unknown; schedule: unknown }>,
      rpc.callYours("dispatches", { p_limit: limit }),
    ]);
    return { dispatch: status.dispatch, schedule: status.schedule, dispatches };
  }),
  doctor: read(None, ({ inputs }) => examine(inputs)),
};

/** All rows of a function that may have more than the data API gives at a time. */
async function readPages(
  { supabase }: Reached["rpc"],
  name: string,
  args: Record<string, unknown>,
) {
  const rows: unknown[] = [];
  for (let page = 0; page < MOST_PAGES; page++) {
    const { data, error, status } = await supabase.rpc(name, args)
      .order("at").order("type")
      .range(rows.length, rows.length + ROWS_A_PAGE - 1)
      .abortSignal(AbortSignal.timeout(10_000));
    if (error) throw ApiError.fromDatabase(error, status);
    rows.push(...data);
    if (data.length < ROWS_A_PAGE) break;
  }
  return rows;
}

/** What there is to know of a task; `task` is null when there is none of this id. */
async function readTask({ rpc }: Reached, { id }: { id: string }, hidden: Redaction) {
  const of = (name: string) => rpc.callYours(name, { p_id: id });
  const [{ data, error, status }, explanation, timeline, dependencies] = await Promise.all([
    rpc.supabase.from("tasks").select("*").eq("id", id).maybeSingle(),
    of("explain_task") as Promise<{ detail: unknown }[]>,
    of("task_timeline") as Promise<{ detail: unknown }[]>,
    of("task_dependencies") as Promise<{ result: unknown }[]>,
  ]);
  if (error) throw ApiError.fromDatabase(error, status);
  return {
    task: data && {
      ...data,
      payload: redact(data.payload, hidden),
      result: redact(data.result, hidden),
      progress: redact(data.progress, hidden),
    },
    explanation: explanation[0],
    timeline: timeline.map((row) => ({ ...row, detail: redact(row.detail, hidden) })),
    dependencies: dependencies.map((row) => ({ ...row, result: redact(row.result, hidden) })),
  };
}

function read<P extends z.ZodType<Record<string, unknown>>>(
  params: P,
  answer: (reached: Reached, params: z.infer<P>, hidden: Redaction) => Promise<unknown>,
): Read {
  return { params, answer } as Read;
}
