import assert from "node:assert/strict";
import { check } from "../refusal.ts";
import type { Calls, Grant, Outcome, Settled, Settlement } from "./calls.ts";
import { checkNext, granted, grantNext } from "./claim.ts";
import { type Claim, type Claims, keyOf } from "./state.ts";

export function renew(state: Claims, { fence, seconds }: Calls["renew"]): string[] {
  check(seconds > 0);
  const held = state.held(fence);
  for (const claim of held) claim.expiresAt = state.now + seconds * 1000;
  return held.map(({ thought }) => thought.id);
}

export function settle(state: Claims, { request, ...settlement }: Calls["settle"]): Settled {
  return state.requests.once("settle", request, () => {
    checkSettlement(settlement);
    return settleLease(state, settlement);
  });
}

export function settle_and_claim(
  state: Claims,
  call: Calls["settle_and_claim"],
  seen: Settled & Grant | null,
): Settled & Grant {
  const { settled, lost, fence } = state.requests.once("settle_and_claim", call.request, () => {
    checkSettlement(call);
    checkNext(call);
    return { ...settleLease(state, call), fence: grantNext(state, call, seen) };
  });
  return { settled, lost, ...granted(state, fence) };
}

function checkSettlement({ outcomes, rest }: Settlement): void {
  const statuses = ["succeeded", "failed", "released"];
  check(rest === null || statuses.includes(rest));
  check(outcomes.every(({ status }) => statuses.includes(status)));
  check(outcomes.every(({ status, metadata }) => status === "succeeded" || metadata === undefined));
  check(new Set(outcomes.map(({ id }) => id)).size === outcomes.length);
}

/** What the lease does not hold is lost to it, unless it ended in the same way under this fence. */
function settleLease(state: Claims, { fence, outcomes, rest }: Settlement): Settled {
  const named = new Map(outcomes.map((outcome) => [outcome.id, outcome]));
  const settled: [Claim, Omit<Outcome, "id">][] = [];
  for (const claim of state.held(fence)) {
    const outcome = named.get(claim.thought.id) ?? (rest && { status: rest });
    if (outcome) settled.push([claim, outcome]);
    named.delete(claim.thought.id);
  }
  const lost = [...named.values()].filter(({ id, status }) =>
    !state.all().some((claim) =>
      claim.thought.id === id && claim.fence === fence && claim.status === status
    )
  );
  for (const [claim, outcome] of settled) end(state, claim, outcome);
  return {
    settled: settled.length + named.size - lost.length,
    lost: lost.map(({ id }) => id).sort(),
  };
}

function end(state: Claims, claim: Claim, outcome: Omit<Outcome, "id">): void {
  const { status, error = null, permanent, metadata } = outcome;
  if (status === "succeeded") {
    state.finish(claim, "succeeded", error);
    Object.assign(claim.thought.metadata, metadata);
  } else if (status === "failed") {
    state.finish(claim, "failed", error);
    if (!permanent && claim.attempt < (claim.maxAttempts ?? Infinity)) backOff(state, claim);
  } else state.remove(claim);
}

function backOff(state: Claims, claim: Claim): void {
  const { now } = state;
  const about = 1000 * 2 ** (claim.attempt - 1);
  state.questions.push((rows) => {
    const wait = (rows.get(keyOf(claim.thought.id, claim.work))?.retry_at ?? now) - now;
    assert.ok(
      wait >= 0.75 * about && wait <= 1.25 * about,
      `${wait} ms in attempt ${claim.attempt}`,
    );
    claim.retryAt = now + wait;
  });
}

/** By whoever holds it now, under whatever fence; for good. */
export function release(
  state: Claims,
  { id, work, worker, status, error }: Calls["release"],
): boolean {
  check(status === "succeeded" || status === "failed");
  const claim = state.on(id, work);
  if (claim?.status !== "claimed" || claim.worker !== worker) return false;
  state.finish(claim, status, error);
  return true;
}

export function release_all(state: Claims, { work, worker }: Calls["release_all"]): number {
  const open = state.all().filter((claim) =>
    claim.status === "claimed" && claim.worker === worker && (work ?? claim.work) === claim.work
  );
  for (const claim of open) state.remove(claim);
  return open.length;
}
