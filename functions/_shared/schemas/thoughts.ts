// Thoughts: claiming named ones or the next ones.
import { z } from "zod";
import {
  Attempt,
  Fence,
  LeaseMs,
  LeaseSeconds,
  Limit,
  MaxAttempts,
  Moment,
  RequestId,
  ThoughtId,
  WorkerId,
  WorkType,
} from "./values.ts";

export const GrantedThought = z.object({
  id: ThoughtId,
  attempt: Attempt,
  content: z.string(),
  metadata: z.record(z.string(), z.unknown()).nullable(),
}).meta({ id: "GrantedThought", description: "A thought that is yours while the lease lasts." });
export type GrantedThought = z.infer<typeof GrantedThought>;

/** A claim of whatever comes next, without request id, as it may also ride on a release. */
export const NextThoughts = z.strictObject({
  work_type: WorkType,
  worker_id: WorkerId,
  limit: Limit.default(1),
  lease_seconds: LeaseSeconds.default(900),
  max_attempts: MaxAttempts.default(5),
}).meta({ id: "NextThoughts", description: "The next ones nobody has for this work type." });

export const ClaimThoughts = NextThoughts.extend({
  limit: Limit.optional(),
  thought_ids: z.array(ThoughtId).max(1000).optional().meta({
    description:
      "Claim those of these that are free, instead of the next ones. Unknown ids are passed over.",
  }),
  request_id: RequestId.optional(),
}).refine((claim) => !(claim.thought_ids && claim.limit), {
  path: ["limit"],
  message: "give either thought_ids or limit",
}).meta({
  id: "ClaimThoughts",
  description: "Claim thoughts for one work type: the ones named, or the next ones.",
  examples: [{ work_type: "enrichment", worker_id: "worker-7f3a", limit: 10 }],
});

export const ThoughtGrant = z.object({
  fence: Fence.nullable().meta({ description: "Null when there was nothing to grant." }),
  lease_expires_at: Moment.nullable(),
  lease_ms: LeaseMs,
  thoughts: z.array(GrantedThought),
}).meta({ id: "ThoughtGrant" });
export type ThoughtGrant = z.infer<typeof ThoughtGrant>;
