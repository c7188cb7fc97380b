// Tasks: enqueueing them, and being granted some.
import { z } from "zod";
import {
  Attempt,
  Fence,
  Id,
  Json,
  LeaseMs,
  LeaseSeconds,
  Limit,
  MaxAttempts,
  Moment,
  RequestId,
  TaskType,
  WorkerId,
} from "./values.ts";

export const NewTask = z.strictObject({
  type: TaskType,
  payload: Json.optional().meta({
    description: "Any JSON; what the handler of this type expects.",
  }),
  priority: z.int().min(-32_768).max(32_767).optional().meta({
    description: "Smaller runs first; 0 when left out.",
  }),
  run_at: z.iso.datetime({ offset: true }).optional().meta({
    description: "Not before this moment; RFC 3339 with offset.",
  }),
  max_attempts: MaxAttempts.optional(),
  unique_key: RequestId.optional().meta({
    description: "While a task of this type and key has not ended, no second one is made.",
  }),
  key: RequestId.optional().meta({
    description:
      "Whose task it is: limits and rates can be set by it, and keys of a type get a fair share.",
  }),
  order_key: RequestId.optional().meta({
    description: "Tasks of this type and order key run one at a time, in the order they came.",
  }),
}).meta({ id: "NewTask", description: "A task to enqueue." });

export const EnqueueRequest = z.strictObject({
  tasks: z.array(NewTask).min(1).max(1000),
  request_id: RequestId.optional(),
}).meta({
  id: "EnqueueRequest",
  examples: [{ tasks: [{ type: "generate_care_plan", payload: { session_id: "s-1" } }] }],
});

export const EnqueueResponse = z.object({
  tasks: z.array(z.object({
    id: Id,
    deduplicated: z.boolean().meta({
      description: "True when an unfinished task with this unique key was there already.",
    }),
  })).meta({ description: "In the order of the request." }),
}).meta({ id: "EnqueueResponse" });

export const GrantedTask = z.object({
  id: Id,
  type: z.string(),
  payload: z.unknown(),
  attempt: Attempt,
  max_attempts: z.int(),
}).meta({ id: "GrantedTask", description: "A task that is yours while the lease lasts." });
export type GrantedTask = z.infer<typeof GrantedTask>;

/** A claim without request id, as it may also ride on a release. */
export const NextTasks = z.strictObject({
  worker_id: WorkerId,
  types: z.array(TaskType).min(1).max(100).optional().meta({
    description: "Only tasks of these types; all when left out.",
  }),
  limit: Limit.default(1),
  lease_seconds: LeaseSeconds.default(900),
}).meta({ id: "NextTasks", description: "The next tasks that are due and nobody holds." });

export const ClaimTasks = NextTasks.extend({ request_id: RequestId.optional() }).meta({
  id: "ClaimTasks",
  description: "Claim the next tasks that are due and nobody holds.",
  examples: [{ worker_id: "worker-7f3a", types: ["generate_care_plan"], limit: 10 }],
});

export const TaskGrant = z.object({
  fence: Fence.nullable().meta({ description: "Null when there was nothing to grant." }),
  lease_expires_at: Moment.nullable(),
  lease_ms: LeaseMs,
  tasks: z.array(GrantedTask),
}).meta({ id: "TaskGrant" });
export type TaskGrant = z.infer<typeof TaskGrant>;
