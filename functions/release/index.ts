import type { z } from "zod";
import { ApiError } from "../_shared/errors.ts";
import { withRetryAfter } from "../_shared/grants.ts";
import type { Rpc } from "../_shared/rpc.ts";
import {
  isRowFence,
  ReleaseRequest,
  type ReleaseWorker,
  type SettleLease,
  type SettleRows,
} from "../_shared/schemas.ts";
import { endpoint } from "../_shared/serve.ts";

export default endpoint({ name: "release", request: ReleaseRequest }, async ({ body, rpc }) => {
  if (!("fence" in body)) return { body: { released: await releaseWorker(rpc, body) } };
  const answer = isRows(body)
    ? await settleRows(rpc, body)
    : body.claim
    ? await settleAndClaim(rpc, body, body.claim)
    : await settle(rpc, body);
  return {
    body: answer,
    facts: { fence: body.fence, settled: answer.settled, lost: answer.lost.length },
  };
});

type Settle = z.output<typeof SettleLease>;
type Rows = z.output<typeof SettleRows>;

function isRows(body: Settle | Rows): body is Rows {
  return isRowFence(body.fence);
}

function releaseWorker(
  rpc: Rpc,
  { worker_id, work_type, source }: z.output<typeof ReleaseWorker>,
) {
  if (source !== undefined) {
    return rpc.call("release_rows_for_worker", {
      p_source: source,
      p_work_type: work_type ?? null,
      p_worker_id: worker_id,
    });
  }
  return work_type === undefined
    ? rpc.call("release_tasks_for_worker", { p_worker_id: worker_id })
    : rpc.call("release_claims_for_worker", { p_work_type: work_type, p_worker_id: worker_id });
}

async function settle(rpc: Rpc, body: Settle) {
  const { settled, lost } = await rpc.call("settle_lease", termsOf(body));
  if (settled === 0) throw new ApiError("lost", undefined, { details: { settled, lost } });
  return { settled, lost };
}

async function settleAndClaim(rpc: Rpc, body: Settle, claim: NonNullable<Settle["claim"]>) {
  const terms = {
    ...termsOf(body),
    p_worker_id: claim.worker_id,
    p_limit: claim.limit,
    p_lease_seconds: claim.lease_seconds,
  };
  if ("work_type" in claim) {
    const { settled, lost, ...grant } = await rpc.call("settle_and_claim_thoughts", {
      ...terms,
      p_work_type: claim.work_type,
      p_max_attempts: claim.max_attempts,
    });
    return { settled, lost, claim: grant };
  }
  const types = claim.types ?? null;
  const answer = await rpc.call("settle_and_claim_tasks", { ...terms, p_types: types });
  const { settled, lost, ...grant } = answer;
  return { settled, lost, claim: await withRetryAfter(rpc, grant, types) };
}

async function settleRows(rpc: Rpc, { claim, ...body }: Rows) {
  if (claim) {
    const { settled, lost, superseded, ...grant } = await rpc.call("settle_and_claim_rows", {
      ...termsOf(body),
      p_work_type: claim.work_type,
      p_worker_id: claim.worker_id,
      p_limit: claim.limit,
      p_lease_seconds: claim.lease_seconds,
      p_max_attempts: claim.max_attempts,
    });
    return { settled, lost, superseded, claim: grant };
  }
  const answer = await rpc.call("settle_rows", termsOf(body));
  if (answer.settled > 0) return answer;
  const onlySuperseded = answer.lost.length === 0 && answer.superseded.length > 0;
  throw new ApiError(onlySuperseded ? "superseded" : "lost", undefined, { details: answer });
}

function termsOf<O>(
  { fence, outcomes, rest, request_id }: Pick<Settle, "fence" | "rest" | "request_id"> & {
    outcomes: O[];
  },
) {
  return {
    p_fence: fence,
    p_outcomes: outcomes,
    p_rest: rest ?? null,
    p_request_id: request_id ?? null,
  };
}
