// What clients do to the tables of thoughts and claims without asking Dibs.
import assert from "node:assert/strict";
import { Refusal } from "../refusal.ts";
import type { Calls } from "./calls.ts";
import type { Claims } from "./state.ts";

export function insert_thought(
  state: Claims,
  { content }: Calls["insert_thought"],
  seen: string | null,
): string {
  assert.ok(seen && !state.ids.includes(seen), `${seen} is not the id of a new thought`);
  state.ids.push(seen);
  state.thoughts.set(seen, { id: seen, content, metadata: {} });
  return seen;
}

export function edit_thought(state: Claims, { id, content }: Calls["edit_thought"]): number {
  const thought = state.thoughts.get(id);
  if (thought) thought.content = content;
  return thought ? 1 : 0;
}

/** Its claims go with it, and what was remembered of it. */
export function delete_thought(state: Claims, { id }: Calls["delete_thought"]): number {
  for (const claim of state.all().filter(({ thought }) => thought.id === id)) state.remove(claim);
  for (const key of state.memories.keys()) {
    if (key.startsWith(`${id} `)) state.memories.delete(key);
  }
  return state.thoughts.delete(id) ? 1 : 0;
}

export function insert_claim(
  state: Claims,
  { id, work, worker, seconds }: Calls["insert_claim"],
): number {
  const thought = state.thoughts.get(id);
  if (!thought) throw new Refusal("23503");
  if (state.on(id, work)) throw new Refusal("23505");
  state.add({
    thought,
    work,
    worker,
    claimedAt: state.now,
    expiresAt: state.now + seconds * 1000,
    status: "claimed",
    attempt: 1,
    maxAttempts: null,
    error: null,
    fence: null,
    finishedAt: null,
    retryAt: null,
  });
  return 1;
}

/** To run a batch again. How often an open one was tried is still remembered. */
export function delete_claims(state: Claims, { work, statuses }: Calls["delete_claims"]): number {
  const gone = state.all().filter((claim) =>
    claim.work === work && statuses.includes(claim.status)
  );
  for (const claim of gone) state.remove(claim);
  return gone.length;
}
