// The state of the whole: what an operator looks at first.
import { z } from "zod";
import { Count, Moment } from "./values.ts";

const CountedAt = Moment.nullable().meta({
  description: "When succeeded and failed were counted, where there are many; null: just now.",
});

export const Status = z.object({
  version: z.object({ database: z.string(), functions: z.string().optional() }).meta({
    description: "Which Dibs the database was migrated to, and which the functions are of.",
  }),
  now: Moment,
  tasks: z.record(z.string(), Count).nullable().meta({
    description: "How many tasks have which status.",
  }),
  oldest_due_seconds: z.number().nullable().meta({
    description: "For how long the oldest due task has waited; null when none does.",
  }),
  gates: z.array(z.record(z.string(), z.unknown())).meta({
    description: "Limits, rates and pauses of tasks, as task_gates() tells them.",
  }),
  claim_gates: z.array(z.record(z.string(), z.unknown())).meta({
    description: "Limits, rates and pauses of claims, as claim_gates() tells them.",
  }),
  thoughts: z.array(z.object({
    work_type: z.string(),
    claimed: Count,
    succeeded: Count,
    failed: Count,
    counted_at: CountedAt,
  })),
  sources: z.array(z.object({
    source: z.string(),
    work_type: z.string(),
    claimed: Count,
    succeeded: Count,
    failed: Count,
    expired: Count,
    counted_at: CountedAt,
  })).meta({ description: "Claims on the rows of other sources than thoughts." }),
  workers: z.array(z.object({
    worker_id: z.string(),
    tasks: Count,
    thoughts: Count,
    lease_expires_at: Moment,
  })).meta({ description: "Who holds how much, and when the first of it expires." }),
  expired: z.object({ tasks: Count, thoughts: Count }).meta({
    description: "Leased by workers that are gone; the next tick takes it back.",
  }),
  schedules: z.array(z.object({
    name: z.string(),
    paused: z.boolean(),
    next_tick: Moment,
    last_tick: Moment.nullable(),
    problem: z.string().nullable().meta({ description: "Why it could not enqueue, if so." }),
  })).meta({ description: "The first hundred recurring schedules, by when they are due." }),
  parked_effects: Count.meta({
    description: "Effects of which nobody knows whether they happened.",
  }),
  schedule: z.object({ cron: z.boolean(), net: z.boolean() }).meta({
    description: "Whether the database ticks by itself and can call dispatch.",
  }),
  dispatch: z.object({
    failed: Count.meta({
      description: "How many of the latest calls to dispatch failed in a row.",
    }),
    rest_until: Moment.nullable().meta({
      description: "No call is made until then: too many failed, or the month's are used up.",
    }),
    invocations: Count.meta({ description: "Calls of dispatch and drain in this month of UTC." }),
    invocations_left: Count.nullable().meta({
      description: "Of settings.max_invocations_per_month; null where that is not set.",
    }),
  }),
  dispatches: z.array(z.record(z.string(), z.unknown())).meta({ description: "The last ten." }),
}).meta({ id: "Status" });
