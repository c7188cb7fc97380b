import { thoughtGrant } from "../grants.ts";
import type { ThoughtHandler } from "../handler.ts";
import type { Log } from "../log.ts";
import type { Rpc } from "../rpc.ts";
import type { GrantedThought, ThoughtGrant } from "../schemas.ts";
import { handlerContext, mustBeStorable } from "./context.ts";
import { leaseVerbs } from "./verbs.ts";
import type { Grant, Work } from "./work.ts";

const MAX_ATTEMPTS = 5;

export interface ThoughtWorkOptions {
  rpc: Rpc;
  log: Log;
  workerId: string;
  leaseSeconds: number;
  handler: ThoughtHandler;
}

/** Thoughts of one work type, as the loop sees them. */
export function thoughtWork(options: ThoughtWorkOptions): Work<GrantedThought> {
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
        const args = terms(limit, requestId);
        const rows = await rpc.call("claim_next_thoughts", args, { signal, attempts: 1 });
        return grantOf(thoughtGrant(rows), leaseMs);
      },
      async settleAndClaim(fence, { outcomes, rest }, limit, { requestId, signal }) {
        const args = {
          p_fence: fence,
          p_outcomes: outcomes,
          p_rest: rest,
          ...terms(limit, requestId),
        };
        const answer = await rpc.call("settle_and_claim_thoughts", args, { signal, attempts: 1 });
        return { ...answer, grant: grantOf(answer, leaseMs) };
      },
    },
    timeoutMs: () => handler.timeoutSeconds * 1000,
    async run(thought, context) {
      const finding = await handler.run(thought, handlerContext(thought, context, options));
      mustBeStorable("metadata", finding?.metadata);
      return { metadata: finding?.metadata };
    },
  };
}

type Granted = Pick<ThoughtGrant, "fence" | "thoughts">;

function grantOf({ fence, thoughts }: Granted, leaseMs: number): Grant<GrantedThought> | null {
  return fence === null ? null : { fence, leaseMs, items: thoughts };
}
