import { z } from "zod";
import { Name, TaskFilter, Uuid } from "./fields.ts";
import type { Reached } from "./project.ts";

/** One thing the page may do: its body, and what does it. */
interface Action {
  body: z.ZodType<Record<string, unknown>>;
  act(reached: Reached, body: Record<string, unknown>): Promise<unknown>;
}

const Ids = z.strictObject({ ids: z.array(Uuid).min(1).max(1000) });
const Worker = z.strictObject({ worker_id: Name });
const Schedule = z.strictObject({ name: Name });
const TaskGate = z.strictObject({ type: Name.nullish(), key: Name.nullish() });
const ClaimGate = z.strictObject({
  source: Name,
  work_type: Name.nullish(),
  key: Name.nullish(),
});
const Effect = z.strictObject({
  id: Uuid,
  key: Name,
  work_type: Name.nullish(),
  happened: z.boolean(),
  result: z.unknown().optional(),
});
/** A dry run says how many there are; the page asks for one before it asks a person. */
const Many = z.strictObject({
  filter: TaskFilter,
  per_second: z.number().positive().max(10_000).nullish(),
  dry_run: z.boolean(),
});
const MOST_AT_ONCE = 10_000;

/** All that the page may do. */
export const ACTIONS: Record<string, Action> = {
  retry_tasks: action(Ids, ({ rpc }, { ids }) => rpc.callYours("retry_tasks", { p_ids: ids })),
  cancel_tasks: action(Ids, ({ rpc }, { ids }) => rpc.callYours("cancel_tasks", { p_ids: ids })),
  redrive_tasks: action(
    Many.extend({ type: Name.nullish() }),
    ({ rpc }, { filter, type, per_second, dry_run }) =>
      rpc.callYours("redrive_tasks", {
        p_filter: filter,
        p_type: type ?? null,
        p_per_second: per_second ?? null,
        p_dry_run: dry_run,
        p_limit: MOST_AT_ONCE,
      }),
  ),
  cancel_tasks_where: action(
    Many.omit({ per_second: true }),
    ({ rpc }, { filter, dry_run }) =>
      rpc.callYours("cancel_tasks_where", {
        p_filter: filter,
        p_dry_run: dry_run,
        p_limit: MOST_AT_ONCE,
      }),
  ),
  redrive_rows: action(
    Many.extend({ source: Name, work_type: Name }),
    ({ rpc }, { source, work_type, filter, per_second, dry_run }) =>
      rpc.callYours("redrive_rows", {
        p_source: source,
        p_work_type: work_type,
        p_filter: filter,
        p_per_second: per_second ?? null,
        p_dry_run: dry_run,
        p_limit: MOST_AT_ONCE,
      }),
  ),
  release_worker: action(Worker, ({ rpc }, { worker_id }) => releaseWorker(rpc, worker_id)),
  pause_tasks: action(
    TaskGate,
    ({ rpc }, gate) => rpc.callYours("pause_tasks", namedTaskGate(gate)),
  ),
  resume_tasks: action(
    TaskGate,
    ({ rpc }, gate) => rpc.callYours("resume_tasks", namedTaskGate(gate)),
  ),
  pause_claims: action(
    ClaimGate,
    ({ rpc }, gate) => rpc.callYours("pause_claims", namedClaimGate(gate)),
  ),
  resume_claims: action(
    ClaimGate,
    ({ rpc }, gate) => rpc.callYours("resume_claims", namedClaimGate(gate)),
  ),
  settle_effect: action(
    Effect,
    ({ rpc }, { id, key, work_type, happened, result }) =>
      rpc.callYours("settle_effect", {
        p_id: id,
        p_key: key,
        p_happened: happened,
        p_result: result ?? null,
        p_work_type: work_type ?? null,
      }),
  ),
  run_schedule_now: action(Schedule, onSchedule("run_schedule_now")),
  pause_schedule: action(Schedule, onSchedule("pause_schedule")),
  resume_schedule: action(Schedule, onSchedule("resume_schedule")),
};

/** Everything a worker holds. Each call may be made again, so one that fails in between does no harm. */
async function releaseWorker(rpc: Reached["rpc"], worker: string) {
  const progress = await rpc.callYours("claim_progress", {}) as { source: string }[];
  const sources = [...new Set(progress.map(({ source }) => source))];
  const tasks = await rpc.callYours("release_tasks_for_worker", { p_worker_id: worker });
  let rows = 0;
  for (const source of sources) {
    rows += await rpc.callYours("release_rows_for_worker", {
      p_source: source,
      p_work_type: null,
      p_worker_id: worker,
    }) as number;
  }
  return { tasks, rows };
}

function onSchedule(name: string) {
  return ({ rpc }: Reached, { name: schedule }: z.infer<typeof Schedule>) =>
    rpc.callYours(name, { p_name: schedule });
}

function namedTaskGate({ type, key }: z.infer<typeof TaskGate>) {
  return { p_type: type ?? null, p_key: key ?? null };
}

function namedClaimGate({ source, work_type, key }: z.infer<typeof ClaimGate>) {
  return { p_source: source, p_work_type: work_type ?? null, p_key: key ?? null };
}

function action<B extends z.ZodType<Record<string, unknown>>>(
  body: B,
  act: (reached: Reached, body: z.infer<B>) => Promise<unknown>,
): Action {
  return { body, act } as Action;
}
