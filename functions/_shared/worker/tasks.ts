import { taskGrant } from "../grants.ts";
import type { TaskHandler } from "../handler.ts";
import type { Log } from "../log.ts";
import type { Rpc } from "../rpc.ts";
import type { GrantedTask, TaskGrant } from "../schemas.ts";
import { handlerContext, mustBeStorable } from "./context.ts";
import { leaseVerbs } from "./verbs.ts";
import type { Grant, Work } from "./work.ts";

export interface TaskWorkOptions {
  rpc: Rpc;
  log: Log;
  workerId: string;
  leaseSeconds: number;
  /** By the type each is for; no others are claimed. */
  handlers: Map<string, TaskHandler>;
}

/** Tasks as the loop sees them. */
export function taskWork(options: TaskWorkOptions): Work<GrantedTask> {
  const { rpc, workerId, leaseSeconds, handlers } = options;
  const terms = (limit: number, requestId: string) => ({
    p_worker_id: workerId,
    p_types: [...handlers.keys()],
    p_limit: limit,
    p_lease_seconds: leaseSeconds,
    p_request_id: requestId,
  });
  const leaseMs = leaseSeconds * 1000;
  return {
    source: {
      ...leaseVerbs(rpc, leaseSeconds),
      async claim(limit, { requestId, signal }) {
        const args = terms(limit, requestId);
        const rows = await rpc.call("claim_tasks", args, { signal, attempts: 1 });
        return grantOf(taskGrant(rows), leaseMs);
      },
      async settleAndClaim(fence, { outcomes, rest }, limit, { requestId, signal }) {
        const args = {
          p_fence: fence,
          p_outcomes: outcomes,
          p_rest: rest,
          ...terms(limit, requestId),
        };
        const answer = await rpc.call("settle_and_claim_tasks", args, { signal, attempts: 1 });
        return { ...answer, grant: grantOf(answer, leaseMs) };
      },
    },
    timeoutMs: ({ type }) => handlers.get(type)!.timeoutSeconds * 1000,
    async run(task, context) {
      const handler = handlers.get(task.type)!;
      const result = await handler.run(task.payload, handlerContext(task, context, options));
      mustBeStorable("result", result);
      return { result };
    },
  };
}

type Granted = Pick<TaskGrant, "fence" | "tasks">;

function grantOf({ fence, tasks }: Granted, leaseMs: number): Grant<GrantedTask> | null {
  return fence === null ? null : { fence, leaseMs, items: tasks };
}
