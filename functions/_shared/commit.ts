import type { Rpc } from "./rpc.ts";

/**
 * Completes work by a SQL function of yours that calls `complete_with_result`. Returns what it returned,
 * or null when that was lost on the way.
 */
export async function commit(
  rpc: Rpc,
  { fence, id, signal }: { fence: string; id: string; signal: AbortSignal },
  name: string,
  args: Record<string, unknown> = {},
): Promise<unknown> {
  try {
    return await rpc.callYours(name, { ...args, p_fence: fence, p_id: id }, { signal });
  } catch (error) {
    // A repeat of what was done is refused, and so is what was done when the reply never came.
    if (await rpc.call("was_completed", { p_fence: fence, p_id: id })) return null;
    throw error;
  }
}
