// The SQL functions that functions/ calls: their named arguments, their results, and whether a call
// may be repeated when its reply was lost.
import { z } from "zod";
import { PlannedDrain } from "./drains.ts";
import { Outcome } from "./leases.ts";
import { GrantedRow, RowOutcome, RowsGrant } from "./rows.ts";
import { Status, TaskTotals } from "./status.ts";
import { EnqueueResponse, GrantedTask, TaskGrant } from "./tasks.ts";
import { GrantedThought, ThoughtGrant } from "./thoughts.ts";
import { Count, Fence, Id, Moment, ThoughtId } from "./values.ts";

const RequestIdArg = z.string().nullish();
const Names = z.array(z.string()).nullish();
const Settled = { settled: Count, lost: z.array(Id) };
const SettleArgs = {
  p_fence: z.string(),
  p_outcomes: z.array(Outcome),
  p_rest: z.string().nullable(),
};

const RowsSettled = { ...Settled, lost: z.array(z.string()), superseded: z.array(z.string()) };
const SettleRowsArgs = { ...SettleArgs, p_outcomes: z.array(RowOutcome) };
const RowsArgs = {
  p_work_type: z.string(),
  p_worker_id: z.string(),
  p_lease_seconds: z.int(),
  p_max_attempts: z.int(),
  p_request_id: RequestIdArg,
};
const GrantedRows = z.array(
  GrantedRow.extend({ fence: Fence, lease_expires_at: Moment, lease_ms: Count }),
);

/** Repeating it: always safe, safe when it carries a request id, or never. */
export type Repeat = "always" | "with_request_id" | "never";

export const sqlFunctions = {
  claim_tasks: {
    args: z.object({
      p_worker_id: z.string(),
      p_types: Names,
      p_limit: z.int(),
      p_lease_seconds: z.int(),
      p_request_id: RequestIdArg,
    }),
    result: z.array(
      GrantedTask.extend({ fence: Fence, lease_expires_at: Moment, lease_ms: Count }),
    ),
    repeat: "with_request_id",
  },
  task_retry_after: {
    args: z.object({ p_types: Names }),
    result: z.number().positive().nullable(),
    repeat: "always",
  },
  claim_next_thoughts: {
    args: z.object({
      p_work_type: z.string(),
      p_worker_id: z.string(),
      p_limit: z.int(),
      p_lease_seconds: z.int(),
      p_max_attempts: z.int(),
      p_request_id: RequestIdArg,
    }),
    result: z.array(grantedThoughtRow()),
    repeat: "with_request_id",
  },
  claim_named_thoughts: {
    args: z.object({
      p_work_type: z.string(),
      p_worker_id: z.string(),
      p_thought_ids: z.array(z.string()),
      p_lease_seconds: z.int(),
      p_max_attempts: z.int(),
      p_request_id: RequestIdArg,
    }),
    result: z.array(grantedThoughtRow()),
    repeat: "with_request_id",
  },
  settle_lease: {
    args: z.object({ ...SettleArgs, p_request_id: RequestIdArg }),
    result: z.object(Settled),
    repeat: "with_request_id",
  },
  settle_and_claim_tasks: {
    args: z.object({
      ...SettleArgs,
      p_worker_id: z.string(),
      p_types: z.array(z.string()).nullable(),
      p_limit: z.int(),
      p_lease_seconds: z.int(),
      p_request_id: RequestIdArg,
    }),
    result: TaskGrant.extend(Settled),
    repeat: "with_request_id",
  },
  settle_and_claim_thoughts: {
    args: z.object({
      ...SettleArgs,
      p_work_type: z.string(),
      p_worker_id: z.string(),
      p_limit: z.int(),
      p_lease_seconds: z.int(),
      p_max_attempts: z.int(),
      p_request_id: RequestIdArg,
    }),
    result: ThoughtGrant.extend({ ...Settled, lost: z.array(z.string()) }),
    repeat: "with_request_id",
  },
  claim_next_rows: {
    args: z.object({ ...RowsArgs, p_source: z.string(), p_limit: z.int() }),
    result: GrantedRows,
    repeat: "with_request_id",
  },
  claim_rows: {
    args: z.object({ ...RowsArgs, p_source: z.string(), p_ids: z.array(z.string()) }),
    result: GrantedRows,
    repeat: "with_request_id",
  },
  settle_rows: {
    args: z.object({ ...SettleRowsArgs, p_request_id: RequestIdArg }),
    result: z.object(RowsSettled),
    repeat: "with_request_id",
  },
  settle_and_claim_rows: {
    args: z.object({ ...SettleRowsArgs, ...RowsArgs, p_limit: z.int() }),
    result: RowsGrant.extend(RowsSettled),
    repeat: "with_request_id",
  },
  renew_rows: {
    args: z.object({ p_fence: z.string(), p_lease_seconds: z.int() }),
    result: z.array(z.string()),
    repeat: "always",
  },
  release_rows_for_worker: {
    args: z.object({
      p_source: z.string(),
      p_work_type: z.string().nullable(),
      p_worker_id: z.string(),
    }),
    result: Count,
    repeat: "never",
  },
  renew_lease: {
    args: z.object({
      p_fence: z.string(),
      p_lease_seconds: z.int(),
      p_progress: z.record(z.string(), z.unknown()).nullish(),
    }),
    result: z.array(Id),
    repeat: "always",
  },
  release_tasks_for_worker: {
    args: z.object({ p_worker_id: z.string() }),
    result: Count,
    repeat: "never",
  },
  release_claims_for_worker: {
    args: z.object({ p_work_type: z.string(), p_worker_id: z.string() }),
    result: Count,
    repeat: "never",
  },
  enqueue_tasks: {
    args: z.object({
      p_tasks: z.array(z.unknown()),
      p_request_id: RequestIdArg,
      p_traceparent: z.string().optional(),
    }),
    result: EnqueueResponse.shape.tasks,
    repeat: "with_request_id",
  },
  was_completed: {
    args: z.object({ p_fence: z.string(), p_id: z.string() }),
    result: z.boolean(),
    repeat: "always",
  },
  effect_begin: {
    args: z.object({
      p_fence: z.string(),
      p_id: z.string(),
      p_key: z.string(),
      p_mode: z.string(),
      p_key_hours: z.int().optional(),
      p_request_id: RequestIdArg,
    }),
    result: z.object({
      state: z.enum(["go", "done", "parked"]),
      result: z.unknown(),
      idempotency_key: z.string(),
    }),
    repeat: "with_request_id",
  },
  effect_done: {
    args: z.object({
      p_fence: z.string(),
      p_id: z.string(),
      p_key: z.string(),
      p_result: z.unknown(),
    }),
    result: z.boolean(),
    repeat: "always",
  },
  plan_dispatch: {
    args: z.object({ p_dispatch_id: z.string().nullish(), p_types: Names }),
    result: z.object({
      dispatch_id: z.string(),
      drains: z.array(PlannedDrain),
    }),
    repeat: "never",
  },
  dibs_status: { args: z.object({}), result: Status, repeat: "always" },
  task_totals: { args: z.object({}), result: z.array(TaskTotals), repeat: "always" },
  task_traces: {
    args: z.object({ p_fence: z.string() }),
    result: z.array(z.object({ id: Id, traceparent: z.string() })),
    repeat: "always",
  },
} as const satisfies Record<string, { args: z.ZodType; result: z.ZodType; repeat: Repeat }>;

export type SqlFunction = keyof typeof sqlFunctions;
export type Args<F extends SqlFunction> = z.input<typeof sqlFunctions[F]["args"]>;
export type Result<F extends SqlFunction> = z.output<typeof sqlFunctions[F]["result"]>;

function grantedThoughtRow() {
  return GrantedThought.omit({ id: true }).extend({
    thought_id: ThoughtId,
    fence: Fence,
    lease_expires_at: Moment,
    lease_ms: Count,
  });
}
