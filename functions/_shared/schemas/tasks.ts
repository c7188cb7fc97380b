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
  depends_on: z.array(z.union([Id, z.int().min(0).max(999)])).max(1000).optional().meta({
    description:
      "What it waits for: ids of tasks, or places of earlier tasks of this request, counted from 0.",
  }),
  depends_mode: z.enum(["all", "any"]).optional().meta({
    description: "How many of them must be completed; all when left out.",
  }),
  on_parent_failure: z.enum(["cancel", "run", "wait"]).optional().meta({
    description:
      "When one of them fails for good or is cancelled: cancel this one (when left out), count it as completed, or wait until it is tried again.",
  }),
  unique_mode: z.enum(["return_existing", "reject", "replace", "debounce"]).optional().meta({
    description:
      "Where the unique key is taken: return that task (when left out), reject the call, replace the task while it is " +
      "pending, or debounce: move its run_at and give it this payload.",
  }),
  unique_scope: z.enum(["unfinished", "pending"]).optional().meta({
    description:
      "Which task has the key: one that has not ended (when left out), or one that is pending.",
  }),
  unique_seconds: z.int().min(1).max(31_536_000).optional().meta({
    description: "So long the key stays taken at least, also when the task has ended.",
  }),
  unique_merge: z.boolean().optional().meta({
    description:
      "With debounce: the fields of this payload are merged into those of the one there.",
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
      description: "True when a task had this unique key already; the id is that task's.",
    }),
    replaced: z.boolean().meta({
      description: "True when that task was pending and was changed as unique_mode says.",
    }),
  })).meta({ description: "In the order of the request." }),
}).meta({ id: "EnqueueResponse" });

export const Dependency = z.object({
  id: Id,
  status: z.string().meta({
    description: "completed, failed or cancelled; pending when it has not ended.",
  }),
  result: z.unknown(),
}).meta({ id: "Dependency", description: "What came of a task that another waited for." });
export type Dependency = z.infer<typeof Dependency>;

export const GrantedTask = z.object({
  id: Id,
  type: z.string(),
  payload: z.unknown(),
  attempt: Attempt,
  max_attempts: z.int(),
  dependencies: z.array(Dependency).nullish().meta({
    description: "In the order of depends_on; left out where the task depends on none.",
  }),
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
  retry_after_seconds: z.number().positive().optional().meta({
    description:
      "When there was nothing to grant only because rates keep back what is due: ask again then.",
  }),
}).meta({ id: "TaskGrant" });
export type TaskGrant = z.infer<typeof TaskGrant>;
