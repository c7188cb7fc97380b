// What unique keys, limits, pauses, orders and filters do to tasks, without a database: the specification that the SQL
// is held against. What all tasks do is said in ../tasks; what a claim chooses is only held against what it may.
import { cancel, reap, release } from "../tasks/control.ts";
import { settle } from "../tasks/settle.ts";
import { cancel_where, reprioritize_where, retry_where } from "./bulk.ts";
import type { Answers, Calls, Verb } from "./calls.ts";
import { claim, drain } from "./claim.ts";
import { pause, remove_limit, resume, retry, set_limit } from "./control.ts";
import { enqueue } from "./enqueue.ts";
import type { Tasks } from "./state.ts";

export const VERBS: {
  [V in Verb]: (state: Tasks, call: Calls[V], seen: Answers[V] | null) => Answers[V];
} = {
  enqueue,
  claim,
  drain,
  settle: (state, settlement) => settle(state, { ...settlement, request: null }),
  reap,
  release,
  cancel,
  retry,
  cancel_where,
  retry_where,
  reprioritize_where,
  set_limit,
  remove_limit,
  pause,
  resume,
};
