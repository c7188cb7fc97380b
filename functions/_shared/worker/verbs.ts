import type { Rpc } from "../rpc.ts";
import { isRowFence } from "../schemas.ts";
import type { Item, Source } from "./work.ts";

/** What is the same for tasks, thoughts and rows. The loop repeats calls itself, so each is made once. */
export function leaseVerbs(
  rpc: Rpc,
  leaseSeconds: number,
): Pick<Source<Item>, "settle" | "renew"> {
  return {
    settle(fence, { outcomes, rest }, { requestId, signal }) {
      const args = {
        p_fence: fence,
        p_outcomes: outcomes,
        p_rest: rest,
        p_request_id: requestId,
      };
      return rpc.call(isRowFence(fence) ? "settle_rows" : "settle_lease", args, {
        signal,
        attempts: 1,
      });
    },
    renew(fence, progress, signal) {
      const args = { p_fence: fence, p_lease_seconds: leaseSeconds };
      return isRowFence(fence)
        ? rpc.call("renew_rows", args, { signal, attempts: 1 })
        : rpc.call("renew_lease", { ...args, p_progress: progress }, { signal, attempts: 1 });
    },
  };
}
