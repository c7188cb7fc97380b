// Drains and what starts them.
import { z } from "zod";
import { Count, Id, LeaseSeconds, Limit, SourceName, TaskType, WorkType } from "./values.ts";

const LingerSeconds = z.int().min(0).max(60).default(0);

export const DrainRequest = z.strictObject({
  types: z.array(TaskType).min(1).max(100).optional().meta({
    description: "Only tasks of these types; all that have a handler when left out.",
  }),
  work_type: WorkType.optional().meta({
    description: "Thoughts of this work type instead of tasks.",
  }),
  source: SourceName.optional().meta({
    description: "Rows of this source for the work type, instead of thoughts.",
  }),
  batch: Limit.default(50).meta({ description: "The most it claims in one call." }),
  concurrency: z.int().min(1).max(100).default(8).meta({
    description: "Handlers running at once.",
  }),
  lease_seconds: LeaseSeconds.default(120),
  budget_seconds: z.int().min(1).max(400).optional().meta({
    description:
      "Stop taking work after this long; at most 60 % of the function's wall clock, the default.",
  }),
  linger_seconds: LingerSeconds.meta({
    description: "Ask on for so long after nothing was found, before it ends.",
  }),
  wait: z.boolean().default(false).meta({
    description: "Answer only when it is done, with the summary.",
  }),
}).refine((drain) => !(drain.types && drain.work_type), {
  path: ["work_type"],
  message: "give either types or work_type",
}).refine((drain) => !drain.source || drain.work_type, {
  path: ["work_type"],
  message: "say which work on the rows of the source",
}).meta({ id: "DrainRequest", examples: [{ types: ["generate_care_plan"], wait: true }] });
export type DrainRequest = z.infer<typeof DrainRequest>;

export const DrainStarted = z.object({ run_id: Id }).meta({ id: "DrainStarted" });

export const Summary = z.object({
  claimed: Count,
  completed: Count,
  failed: Count,
  released: Count.meta({ description: "Handed back." }),
  lost: Count.meta({ description: "No longer held when they ended; somebody else has them." }),
  batches: Count,
  duration_ms: Count,
  truncated: z.boolean().meta({ description: "It stopped before it ran out of work." }),
  truncated_reason: z.string().nullable(),
}).meta({ id: "Summary", description: "claimed = completed + failed + released + lost." });
export type Summary = z.infer<typeof Summary>;

export const DrainSummary = Summary.extend({ run_id: Id }).meta({ id: "DrainSummary" });

export const DispatchRequest = z.strictObject({
  dispatch_id: z.string().regex(/^[0-9]{1,18}$/, "must be the id of a dispatch").optional().meta({
    description: "The record of this dispatch in the database.",
  }),
}).meta({ id: "DispatchRequest", examples: [{}] });

export const DispatchResponse = z.object({
  dispatch_id: z.string(),
  drains: Count.meta({ description: "How many drains were started." }),
}).meta({ id: "DispatchResponse" });

const Pace = z.object({
  batch: Limit,
  lease_seconds: LeaseSeconds,
  linger_seconds: LingerSeconds,
});

/** What one planned drain works on: tasks of these types (null: all), or thoughts or rows of a work type. */
export const PlannedDrain = z.union([
  Pace.extend({ work_type: WorkType, source: SourceName.optional() }),
  Pace.extend({ types: z.array(TaskType).nullish() }),
]);
