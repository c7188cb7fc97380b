import assert from "node:assert/strict";
import { check } from "../refusal.ts";
import type { Calls, Claim, ClaimNext, Grant } from "./calls.ts";
import { roomFor } from "./gates.ts";
import { reapWork } from "./reap.ts";
import { type Claims, keyOf, type Thought } from "./state.ts";

export function claim(
  state: Claims,
  { ids, ...claim }: Calls["claim"],
  seen: string[] | null,
): string[] {
  checkClaim(claim);
  reapWork(state, claim.work);
  const chosen = choose(state, ids, claim.work, Infinity, seen);
  write(state, chosen, claim, null, null);
  return chosen.map(({ id }) => id).sort();
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
    const chosen = choose(state, call.ids, call.work, Infinity, idsOf(seen));
    return grant(state, chosen, call, seen) ?? "none";
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

export function grantNext(state: Claims, call: ClaimNext, seen: Grant | null): string | null {
  reapWork(state, call.work);
  const all = [...state.thoughts.keys()];
  const chosen = choose(state, all, call.work, call.limit, idsOf(seen));
  return grant(state, chosen, call, seen);
}

export function checkNext(call: ClaimNext): void {
  checkClaim(call);
  check(call.limit > 0 && call.max_attempts > 0);
}

function checkClaim({ work, worker, seconds }: Claim): void {
  check(work !== "" && worker !== "" && seconds > 0);
}

/**
 * Whichever the database chose of these thoughts that have no claim, held or finished: so many, or all that there are
 * and that the gate lets through.
 */
function choose(
  state: Claims,
  ids: (string | null)[],
  work: string,
  limit: number,
  seen: string[] | null,
): Thought[] {
  const free = [...new Set(ids)].flatMap((id) => state.thoughts.get(id ?? "") ?? [])
    .filter(({ id }) => !state.on(id, work));
  const chosen = free.filter(({ id }) => seen?.includes(id));
  const most = Math.min(limit, free.length, roomFor(state, work));
  assert.equal(chosen.length, most, "as many thoughts as there are and may be claimed");
  return chosen;
}

const idsOf = (seen: Grant | null): string[] | null => seen?.thoughts.map(({ id }) => id) ?? null;

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
