// Leases: what both surfaces share. Claim, renew, release.
import { z } from "zod";
import { ClaimRows, RowsGrant, SettleRows } from "./rows.ts";
import { ClaimTasks, NextTasks, TaskGrant } from "./tasks.ts";
import { ClaimThoughts, NextThoughts, ThoughtGrant } from "./thoughts.ts";
import {
  Count,
  Fence,
  Id,
  isRowFence,
  Json,
  LeaseMs,
  LeaseSeconds,
  recordOf,
  RequestId,
  SourceName,
  storageProblem,
  Text,
  toldBy,
  WorkerId,
  WorkType,
} from "./values.ts";

export const ClaimRequest = toldBy("source", {
  with: ClaimRows,
  without: toldBy("work_type", { with: ClaimThoughts, without: ClaimTasks }),
}).meta({
  id: "ClaimRequest",
  description:
    "With a source it claims rows of it, with a work type alone thoughts, without either tasks.",
});
export const ClaimResponse = z.union([TaskGrant, ThoughtGrant, RowsGrant]).meta({
  id: "ClaimResponse",
  description: "Nothing to do is no error: an empty list, and null for the fence.",
});

/** Of a task, of a thought, or of a row. */
const ItemId = z.string().meta({ description: "A uuid; of a row, its key as text." });

export const RenewRequest = z.strictObject({
  fence: Fence,
  lease_seconds: LeaseSeconds.default(900),
  progress: recordOf(Id, Json).optional().meta({
    description: "How far each task is: task id → any JSON.",
  }),
}).meta({ id: "RenewRequest", examples: [{ fence: "4711", lease_seconds: 900 }] });

export const RenewResponse = z.object({
  lease_ms: LeaseMs,
  held: z.array(ItemId).meta({
    description: "What this lease still holds. Stop working on anything else.",
  }),
}).meta({ id: "RenewResponse" });

export const OutcomeStatus = z.enum(["succeeded", "failed", "released"]).meta({
  description: "released hands it back and burns no attempt.",
});

export const Outcome = z.strictObject({
  id: Id,
  status: OutcomeStatus,
  error: Text.optional().meta({ description: "Why it failed. Cut to 4,000 characters." }),
  result: Json.optional().meta({ description: "Of a task: kept with it." }),
  metadata: recordOf(z.string(), z.unknown()).optional().superRefine((metadata, context) => {
    const problem = storageProblem(metadata);
    if (problem) context.addIssue(problem);
  }).meta({ description: "Of a thought: merged into its metadata in the same transaction." }),
  permanent: z.boolean().optional().meta({ description: "Failed for good: do not try again." }),
}).meta({ id: "Outcome", description: "What became of one granted item." });
export type Outcome = z.infer<typeof Outcome>;

export const SettleLease = z.strictObject({
  fence: Fence,
  outcomes: z.array(Outcome).max(1000).default([]),
  rest: OutcomeStatus.optional().meta({
    description:
      "The outcome of everything the lease holds that outcomes does not name. Left out: it stays leased.",
  }),
  request_id: RequestId.optional(),
  claim: toldBy("work_type", { with: NextThoughts, without: NextTasks }).optional().meta({
    description: "Claim the next ones in the same call.",
  }),
}).refine((body) => body.outcomes.length > 0 || body.rest || body.claim, {
  path: ["outcomes"],
  message: "name outcomes, or rest, or claim",
}).meta({
  id: "SettleLease",
  description:
    "Report outcomes of a lease, and claim the next ones in the same call when asked to.",
  examples: [{ fence: "4711", rest: "succeeded" }],
});

export const ReleaseWorker = z.strictObject({
  worker_id: WorkerId,
  work_type: WorkType.optional(),
  source: SourceName.optional(),
}).meta({
  id: "ReleaseWorker",
  description:
    "Hand back everything a worker holds: its claims on the source, or for the work type, or its tasks.",
});

export const ReleaseRequest = toldBy("worker_id", {
  with: ReleaseWorker,
  without: toldBy(({ fence }) => isRowFence(fence), { with: SettleRows, without: SettleLease }),
})
  .meta({ id: "ReleaseRequest" });

export const SettleResponse = z.object({
  settled: Count.meta({ description: "How many outcomes were accepted." }),
  lost: z.array(ItemId).meta({
    description: "No longer held when the outcome came: somebody else may have them.",
  }),
  superseded: z.array(ItemId).optional().meta({
    description: "Rows with another version than was claimed: they can be claimed again.",
  }),
  claim: ClaimResponse.optional(),
}).meta({ id: "SettleResponse" });
export const ReleaseWorkerResponse = z.object({ released: Count }).meta({
  id: "ReleaseWorkerResponse",
});
export const ReleaseResponse = z.union([SettleResponse, ReleaseWorkerResponse]).meta({
  id: "ReleaseResponse",
});
