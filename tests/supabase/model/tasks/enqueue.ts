import assert from "node:assert/strict";
import { check } from "../refusal.ts";
import type { Answers, Calls, Enqueued, NewTask } from "./calls.ts";
import type { Tasks } from "./state.ts";

export function enqueue(
  state: Tasks,
  { tasks, request }: Calls["enqueue"],
  seen: Answers["enqueue"] | null,
): Answers["enqueue"] {
  return state.requests.once("enqueue", request, () => {
    check(tasks.length > 0 && tasks.every(isGood));
    return tasks.map((task, n) => add(state, task, seen?.[n]?.id));
  });
}

export function create(state: Tasks, { task }: Calls["create"], seen: string | null): string {
  check(isGood(task));
  return add(state, task, seen).id;
}

/** The id is the database's to choose. */
function add(state: Tasks, task: NewTask, id: string | null | undefined): Enqueued {
  const holder = state.holderOf(task.type, task.unique_key);
  if (holder) return { id: holder.id, deduplicated: true };
  assert.ok(id && !state.ids.includes(id), `${id} is not the id of a new task`);
  const runAt = Math.max(state.now, task.run_at ?? 0);
  state.ids.push(id);
  state.tasks.set(id, {
    id,
    type: task.type,
    priority: task.priority,
    maxAttempts: task.max_attempts,
    key: task.unique_key,
    enqueuedFor: runAt,
    status: "pending",
    runAt,
    backSince: -Infinity,
    attempts: [],
    ended: null,
    result: null,
    progress: null,
  });
  return { id, deduplicated: false };
}

const isGood = ({ type, max_attempts }: NewTask) => type !== "" && max_attempts > 0;
