import { fetchOnce } from "./fetch_once.ts";
import type { Rpc } from "./rpc.ts";
import { PermanentError } from "./worker/failure.ts";

export interface OnceOptions {
  /**
   * `provider_key`: the other side drops repeats of an idempotency key, so it may be tried again.
   * `at_most_once`: it does not; an attempt that was cut off in between parks the effect for a person.
   */
  mode?: "provider_key" | "at_most_once";
  /** For how many hours the other side remembers keys, and a little less; 23. Later it is in doubt. */
  keyHours?: number;
}

/** What an effect is given. */
export interface EffectContext {
  /** For the provider, which drops a repeat of it. */
  idempotencyKey: string;
  /** Sends a request at most once; the global one may repeat it when the connection breaks. */
  fetch: typeof fetch;
}

/** Does an effect under the ledger's eyes: its key belongs to the work, not to the attempt. */
export async function once<T>(
  rpc: Rpc,
  work: { fence: string; id: string; key: string },
  effect: (context: EffectContext) => Promise<T>,
  { mode = "at_most_once", keyHours }: OnceOptions = {},
): Promise<T> {
  const named = { p_fence: work.fence, p_id: work.id, p_key: work.key };
  const begun = await rpc.call("effect_begin", {
    ...named,
    p_mode: mode,
    p_key_hours: keyHours,
    p_request_id: crypto.randomUUID(),
  });
  if (begun.state === "done") return begun.result as T;
  if (begun.state === "parked") {
    throw new PermanentError(
      `the effect ${work.key} is parked: an earlier attempt was cut off, so it may have happened; look at the other side, then call settle_effect`,
    );
  }
  const result = await effect({ idempotencyKey: begun.idempotency_key, fetch: fetchOnce });
  await rpc.call("effect_done", { ...named, p_result: result ?? null });
  return result;
}
