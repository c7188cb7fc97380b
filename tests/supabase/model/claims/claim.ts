import assert from "node:assert/strict";
import { check } from "../refusal.ts";
import type { Calls, Claim, ClaimNext, Grant } from "./calls.ts";
import { reapWork } from "./reap.ts";
import { type Claims, keyOf, type Thought } from "./state.ts";

export function claim(state: Claims, { ids, ...claim }: Calls["claim"]): string[] {
  checkClaim(claim);
  reapWork(state, claim.work);
  const free = freeOf(state, ids, claim.work);
  write(state, free, claim, null, null);
  return free.map(({ id }) => id).sort();
}

export function claim_named(
  state: Claims,
  call: Calls["claim_named"],
  seen: Grant | null,
): Grant {
  check(call.max_attempts > 0);
  const fence = state.requests.once("claim_named", call.request, () => {
    checkClaim(call);
    reapWork(state, call.work);
    return grant(state, freeOf(state, call.ids, call.work), call, seen) ?? "none";
  });
  return granted(state, fence);
}

export function claim_next(state: Claims, call: ClaimNext, seen: Grant | null): Grant {
  const fence = state.requests.once("claim_next", call.request, () => {
    checkNext(call);
    return grantNext(state, call, seen) ?? "none";
  });
  return granted(state, fence);
}

/** Whichever thoughts the database chose: so many, or all that nobody has claimed. */
export function grantNext(state: Claims, call: ClaimNext, seen: Grant | null): string | null {
  reapWork(state, call.work);
  const free = freeOf(state, [...state.thoughts.keys()], call.work);
  const chosen = free.filter(({ id }) => seen?.thoughts.some((thought) => thought.id === id));
  assert.equal(chosen.length, Math.min(call.limit, free.length), "as many thoughts as there are");
  return grant(state, chosen, call, seen);
}

export function checkNext(call: ClaimNext): void {
  checkClaim(call);
  check(call.limit > 0 && call.max_attempts > 0);
}

function checkClaim({ work, worker, seconds }: Claim): void {
  check(work !== "" && worker !== "" && seconds > 0);
}

/** The thoughts there are among these that have no claim, held or finished. */
function freeOf(state: Claims, ids: (string | null)[], work: string): Thought[] {
  return [...new Set(ids)].flatMap((id) => state.thoughts.get(id ?? "") ?? [])
    .filter(({ id }) => !state.on(id, work));
}

function grant(
  state: Claims,
  thoughts: Thought[],
  claim: Claim & { max_attempts: number },
  seen: Grant | null,
): string | null {
  if (thoughts.length === 0) return null;
  const fence = seen!.fence!;
  const latest = state.grants.at(-1)?.fence ?? 0;
  assert.ok(Number(fence) > Number(latest), `fence ${fence} comes after ${latest}`);
  state.grants.push({ fence, ids: thoughts.map(({ id }) => id).sort() });
  write(state, thoughts, claim, claim.max_attempts, fence);
  return fence;
}

function write(
  state: Claims,
  thoughts: Thought[],
  { work, worker, seconds }: Claim,
  maxAttempts: number | null,
  fence: string | null,
): void {
  for (const thought of thoughts) {
    const memory = state.memories.get(keyOf(thought.id, work));
    state.add({
      thought,
      work,
      worker,
      claimedAt: state.now,
      expiresAt: state.now + seconds * 1000,
      status: "claimed",
      attempt: (memory?.attempts ?? 0) + 1,
      maxAttempts,
      error: memory?.error ?? null,
      fence,
      finishedAt: null,
      retryAt: null,
    });
  }
}

/** What a grant still holds, as its worker gets it. */
export function granted(state: Claims, fence: string | null): Grant {
  const held = state.held(fence ?? "none");
  return {
    fence: held[0]?.fence ?? null,
    lease_expires_at: held[0]?.expiresAt ?? null,
    lease_ms: held.length > 0 ? Math.max(0, held[0].expiresAt - state.now) : 0,
    thoughts: held.map(({ thought, attempt }) => ({ ...thought, attempt })),
  };
}
