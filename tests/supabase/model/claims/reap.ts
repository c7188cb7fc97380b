import type { Answers, Calls } from "./calls.ts";
import { type Claim, type Claims, keyOf } from "./state.ts";

/** What the tick does; claims do it for their kind of work. */
export function reap(state: Claims, { work }: Calls["reap"]): number {
  const works = work === null ? new Set(state.all().map(({ work }) => work)) : [work];
  return [...works].reduce((sum, work) => sum + reapWork(state, work), 0);
}

/** Takes away what ran out and what is due for a retry. A client sees that those are free again. */
export function reapWork(state: Claims, work: string): number {
  const due = state.all().filter((claim) => claim.work === work && isDue(claim, state.now));
  for (const claim of due) takeAway(state, claim);
  return due.length;
}

function isDue({ status, expiresAt, retryAt }: Claim, now: number): boolean {
  return status === "claimed" ? expiresAt <= now : retryAt !== null && retryAt <= now;
}

/** What ran out is an attempt, too. The last one keeps the thought from everybody: quarantine. */
function takeAway(state: Claims, claim: Claim): void {
  const { worker, attempt, maxAttempts, status } = claim;
  const last = maxAttempts === null ? "" : ` of ${maxAttempts}`;
  const error = status === "failed"
    ? claim.error
    : `the lease of ${worker} ran out in attempt ${attempt}${last}`;
  if (status === "claimed" && maxAttempts !== null && attempt >= maxAttempts) {
    return state.finish(claim, "failed", error);
  }
  state.remove(claim);
  const key = keyOf(claim.thought.id, claim.work);
  // Clients that insert claims themselves do not know which attempt it is.
  const before = state.memories.get(key)?.attempts ?? 0;
  state.memories.set(key, { attempts: Math.max(attempt, before + 1), error });
}

/** Failed thoughts can be claimed again, as if nobody had ever tried. */
export function retry(state: Claims, { work, ids }: Calls["retry"]): number {
  const failed = state.all().filter((claim) =>
    claim.work === work && claim.status === "failed" && (ids?.includes(claim.thought.id) ?? true)
  );
  for (const claim of failed) state.remove(claim);
  return failed.length;
}

export function quarantined(
  state: Claims,
  { work }: Calls["quarantined"],
): Answers["quarantined"] {
  return state.all()
    .filter((claim) => claim.work === work && claim.status === "failed" && claim.retryAt === null)
    .filter(({ attempt, maxAttempts }) => maxAttempts !== null && attempt >= maxAttempts)
    .map(({ thought, attempt, error, finishedAt }) => ({
      thought_id: thought.id,
      attempt_count: attempt,
      last_error: error,
      finished_at: finishedAt!,
    }))
    .sort((a, b) => a.finished_at - b.finished_at || (a.thought_id < b.thought_id ? -1 : 1));
}
