import { ApiError } from "../_shared/errors.ts";
import type { Rpc } from "../_shared/rpc.ts";
import {
  ClaimRequest,
  type ClaimRows,
  type ClaimTasks,
  type ClaimThoughts,
} from "../_shared/schemas.ts";
import { endpoint } from "../_shared/serve.ts";
import { rowsGrant, taskGrant, thoughtGrant, withRetryAfter } from "../_shared/grants.ts";
import type { z } from "zod";

export default endpoint({ name: "claim", request: ClaimRequest }, async ({ body, rpc }) => {
  const grant = "source" in body
    ? await claimRows(rpc, body)
    : "work_type" in body
    ? await claimThoughts(rpc, body)
    : await claimTasks(rpc, body);
  const retryAfterSeconds = "tasks" in grant ? grant.retry_after_seconds : undefined;
  return { body: grant, facts: { fence: grant.fence }, retryAfterSeconds };
});

async function claimTasks(rpc: Rpc, claim: z.output<typeof ClaimTasks>) {
  const types = claim.types ?? null;
  const rows = await rpc.call("claim_tasks", {
    p_worker_id: claim.worker_id,
    p_types: types,
    p_limit: claim.limit,
    p_lease_seconds: claim.lease_seconds,
    p_request_id: claim.request_id ?? null,
  });
  return withRetryAfter(rpc, taskGrant(rows), types);
}

async function claimThoughts(rpc: Rpc, claim: z.output<typeof ClaimThoughts>) {
  const terms = {
    p_work_type: claim.work_type,
    p_worker_id: claim.worker_id,
    p_lease_seconds: claim.lease_seconds,
    p_max_attempts: claim.max_attempts,
    p_request_id: claim.request_id ?? null,
  };
  const rows = claim.thought_ids
    ? await rpc.call("claim_named_thoughts", { ...terms, p_thought_ids: claim.thought_ids })
      .catch((error) => nameTheId(error, claim.thought_ids!))
    : await rpc.call("claim_next_thoughts", { ...terms, p_limit: claim.limit ?? 1 });
  return thoughtGrant(rows);
}

async function claimRows(rpc: Rpc, claim: z.output<typeof ClaimRows>) {
  const terms = {
    p_source: claim.source,
    p_work_type: claim.work_type,
    p_worker_id: claim.worker_id,
    p_lease_seconds: claim.lease_seconds,
    p_max_attempts: claim.max_attempts,
    p_request_id: claim.request_id ?? null,
  };
  const rows = claim.ids
    ? await rpc.call("claim_rows", { ...terms, p_ids: claim.ids })
    : await rpc.call("claim_next_rows", { ...terms, p_limit: claim.limit ?? 1 });
  return rowsGrant(rows);
}

/** Only the database knows whether thoughts have uuids or numbers, and it does not say which id is none. */
function nameTheId(error: unknown, ids: string[]): never {
  if (!(error instanceof ApiError) || error.hint !== "SQLSTATE 22P02") throw error;
  const at = Math.max(0, ids.findIndex((id) => !id.includes("-")));
  const [path, message] = [`thought_ids[${at}]`, "must be an id as thoughts have it"];
  throw new ApiError("bad_request", `${path} ${message}`, { details: [{ path, message }] });
}
