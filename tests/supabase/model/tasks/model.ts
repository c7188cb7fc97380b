// What tasks do, without a database: the specification that the SQL is held against.
//
// A verb is told the state, the call, and what was seen to be answered. Where the database may choose
// (ids, fences, who among equals) it takes the choice from there, and fails when that is unlawful;
// what it returns is what must have been answered.
import type { Answers, Calls, Verb } from "./calls.ts";
import { claim, claim_one } from "./claim.ts";
import { cancel, history, prune, reap, release, retry } from "./control.ts";
import { create, enqueue } from "./enqueue.ts";
import { renew, settle, settle_and_claim } from "./settle.ts";
import type { Tasks } from "./state.ts";
import { delete_, update } from "./view.ts";

export const VERBS: {
  [V in Verb]: (state: Tasks, call: Calls[V], seen: Answers[V] | null) => Answers[V];
} = {
  enqueue,
  create,
  claim,
  claim_one,
  renew,
  settle,
  settle_and_claim,
  reap,
  release,
  cancel,
  retry,
  prune,
  history,
  update,
  delete: delete_,
};
