import type { Rpc } from "../rpc.ts";
import type { Item, Source } from "./work.ts";

/** What is the same for tasks and thoughts. The loop repeats calls itself, so each is made once. */
export function leaseVerbs(
  rpc: Rpc,
  leaseSeconds: number,
): Pick<Source<Item>, "settle" | "renew"> {
  return {
    settle: (fence, { outcomes, rest }, { requestId, signal }) =>
      rpc.call("settle_lease", {
        p_fence: fence,
        p_outcomes: outcomes,
        p_rest: rest,
        p_request_id: requestId,
      }, { signal, attempts: 1 }),
    renew: (fence, progress, signal) =>
      rpc.call("renew_lease", {
        p_fence: fence,
        p_lease_seconds: leaseSeconds,
        p_progress: progress,
      }, { signal, attempts: 1 }),
  };
}
