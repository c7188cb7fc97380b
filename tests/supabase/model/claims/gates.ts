// Limits and pauses of a kind of work. Clients that insert claims by themselves are not kept back, but count.
import { check } from "../refusal.ts";
import type { Calls } from "./calls.ts";
import type { Claims } from "./state.ts";

export function set_limit(state: Claims, { work, limit }: Calls["set_limit"]): null {
  check(work !== "" && limit > 0);
  state.setGate(work, { most: limit });
  return null;
}

export function remove_limit(state: Claims, { work }: Calls["remove_limit"]): boolean {
  check(work !== "");
  if ((state.gates.get(work)?.most ?? null) === null) return false;
  state.setGate(work, { most: null });
  return true;
}

/** Tells how many are still claimed. */
export function pause(state: Claims, { work }: Calls["pause"]): number {
  check(work !== "");
  state.setGate(work, { pausedAt: state.gates.get(work)?.pausedAt ?? state.now });
  return state.claimed(work);
}

export function resume(state: Claims, { work }: Calls["resume"]): boolean {
  check(work !== "");
  if ((state.gates.get(work)?.pausedAt ?? null) === null) return false;
  state.setGate(work, { pausedAt: null });
  return true;
}

/** How many thoughts may be claimed for a kind of work. */
export function roomFor(state: Claims, work: string): number {
  const { most, pausedAt } = state.gates.get(work) ?? { most: null, pausedAt: null };
  if (pausedAt !== null || state.gates.has(null)) return 0;
  return most === null ? Infinity : Math.max(0, most - state.claimed(work));
}
