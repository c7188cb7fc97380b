// What claims do, without a database: the specification that the SQL is held against.
//
// A verb is told the state, the call, and what was seen to be answered. Where the database may choose
// (fences, which of the free thoughts) it takes the choice from there, and fails when that is unlawful;
// what it returns is what must have been answered.
import type { Answers, Calls, Verb } from "./calls.ts";
import { claim, claim_named, claim_next } from "./claim.ts";
import {
  delete_claims,
  delete_thought,
  edit_thought,
  insert_claim,
  insert_thought,
} from "./clients.ts";
import { pause, remove_limit, resume, set_limit } from "./gates.ts";
import { quarantined, reap, retry } from "./reap.ts";
import { release, release_all, renew, settle, settle_and_claim } from "./settle.ts";
import type { Claims } from "./state.ts";

export const VERBS: {
  [V in Verb]: (state: Claims, call: Calls[V], seen: Answers[V] | null) => Answers[V];
} = {
  claim,
  claim_named,
  claim_next,
  renew,
  settle,
  settle_and_claim,
  release,
  release_all,
  reap,
  retry,
  quarantined,
  set_limit,
  remove_limit,
  pause,
  resume,
  insert_thought,
  edit_thought,
  delete_thought,
  insert_claim,
  delete_claims,
};
