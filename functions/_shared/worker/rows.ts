import { rowsGrant } from "../grants.ts";
import type { RowHandler } from "../handler.ts";
import type { Log } from "../log.ts";
import type { Rpc } from "../rpc.ts";
import type { GrantedRow, RowsGrant } from "../schemas.ts";
import { handlerContext } from "./context.ts";
import { leaseVerbs } from "./verbs.ts";
import type { Grant, Work } from "./work.ts";

const MAX_ATTEMPTS = 5;

export interface RowWorkOptions {
  rpc: Rpc;
  log: Log;
  workerId: string;
  leaseSeconds: number;
  handler: RowHandler;
}

/** Rows of a source, for one work type, as the loop sees them. */
export function rowWork(options: RowWorkOptions): Work<GrantedRow> {
  const { rpc, workerId, leaseSeconds, handler } = options;
  const terms = (limit: number, requestId: string) => ({
    p_work_type: handler.workType,
    p_worker_id: workerId,
    p_limit: limit,
    p_lease_seconds: leaseSeconds,
    p_max_attempts: MAX_ATTEMPTS,
    p_request_id: requestId,
  });
  const leaseMs = leaseSeconds * 1000;
  return {
    source: {
      ...leaseVerbs(rpc, leaseSeconds),
      async claim(limit, { requestId, signal }) {
        const args = { p_source: handler.source, ...terms(limit, requestId) };
        const rows = await rpc.call("claim_next_rows", args, { signal, attempts: 1 });
        return grantOf(rowsGrant(rows), leaseMs);
      },
      async settleAndClaim(fence, { outcomes, rest }, limit, { requestId, signal }) {
        const args = {
          p_fence: fence,
          p_outcomes: outcomes,
          p_rest: rest,
          ...terms(limit, requestId),
        };
        const answer = await rpc.call("settle_and_claim_rows", args, { signal, attempts: 1 });
        return { ...answer, grant: grantOf(answer, leaseMs) };
      },
    },
    timeoutMs: () => handler.timeoutSeconds * 1000,
    run: (row, context) => handler.run(row, handlerContext(row, context, options)),
  };
}

type Granted = Pick<RowsGrant, "fence" | "rows">;

function grantOf({ fence, rows }: Granted, leaseMs: number): Grant<GrantedRow> | null {
  return fence === null ? null : { fence, leaseMs, items: rows };
}
