// Rows of a claim source: claiming named ones or the next ones, and settling them.
import { z } from "zod";
import { NextThoughts } from "./thoughts.ts";
import {
  Attempt,
  Fence,
  isRowFence,
  LeaseMs,
  Limit,
  Moment,
  RequestId,
  RowId,
  SourceName,
  Text,
} from "./values.ts";

export const GrantedRow = z.object({
  id: RowId,
  attempt: Attempt,
  version: z.string().nullable().meta({
    description: "The version that was claimed, as text; null where the source has none.",
  }),
  row: z.record(z.string(), z.unknown()).meta({ description: "What the source tells of it." }),
}).meta({ id: "GrantedRow", description: "A row that is yours while the lease lasts." });
export type GrantedRow = z.infer<typeof GrantedRow>;

export const ClaimRows = NextThoughts.extend({
  source: SourceName,
  limit: Limit.optional(),
  ids: z.array(RowId).max(1000).optional().meta({
    description:
      "Claim those of these that are free, instead of the next ones. Unknown ids are passed over.",
  }),
  request_id: RequestId.optional(),
}).refine((claim) => !(claim.ids && claim.limit), {
  path: ["limit"],
  message: "give either ids or limit",
}).meta({
  id: "ClaimRows",
  description: "Claim rows of a source for one work type: the ones named, or the next ones.",
  examples: [{ source: "documents", work_type: "index", worker_id: "worker-7f3a", limit: 10 }],
});

export const RowsGrant = z.object({
  fence: Fence.nullable().meta({ description: "Null when there was nothing to grant." }),
  lease_expires_at: Moment.nullable(),
  lease_ms: LeaseMs,
  rows: z.array(GrantedRow),
}).meta({ id: "RowsGrant" });
export type RowsGrant = z.infer<typeof RowsGrant>;

const RowStatus = z.enum(["succeeded", "failed", "released"]);

export const RowOutcome = z.strictObject({
  id: RowId,
  status: RowStatus,
  error: Text.optional().meta({ description: "Why it failed. Cut to 4,000 characters." }),
  permanent: z.boolean().optional().meta({ description: "Failed for good: do not try again." }),
}).meta({ id: "RowOutcome", description: "What became of one granted row." });

export const SettleRows = z.strictObject({
  fence: Fence.refine(isRowFence, "must be the fence of a claim on rows"),
  outcomes: z.array(RowOutcome).max(1000).default([]),
  rest: RowStatus.optional().meta({
    description:
      "The outcome of everything the lease holds that outcomes does not name. Left out: it stays leased.",
  }),
  request_id: RequestId.optional(),
  claim: NextThoughts.optional().meta({
    description: "Claim the next rows of the same source in the same call.",
  }),
}).refine((body) => body.outcomes.length > 0 || body.rest || body.claim, {
  path: ["outcomes"],
  message: "name outcomes, or rest, or claim",
}).meta({
  id: "SettleRows",
  description: "Report outcomes of a lease on rows of a source: its fence names the source.",
  examples: [{ fence: "documents:4711", rest: "succeeded" }],
});
