import { check } from "../refusal.ts";
import type { Calls, Changes, Where } from "./calls.ts";
import { holdByHand } from "./claim.ts";
import { revive } from "./control.ts";
import type { Task, Tasks } from "./state.ts";

/** An update of `tasks` settles or resets a task, whoever holds it. */
export function update(state: Tasks, { where, set }: Calls["update"]): number {
  return matching(state, where).filter((task) => updateTask(state, task, set)).length;
}

export function delete_(state: Tasks, { where }: Calls["delete"]): number {
  const tasks = matching(state, where);
  for (const task of tasks) {
    state.withdraw(task);
    state.tasks.delete(task.id);
  }
  return tasks.length;
}

function matching(state: Tasks, where: Where): Task[] {
  return state.all().filter((task) =>
    "id" in where ? task.id === where.id : task.status === where.status
  );
}

function updateTask(state: Tasks, task: Task, set: Changes): boolean {
  const old = state.row(task);
  const row = { ...old, ...set };
  const changes = (column: keyof Changes) => row[column] !== old[column];
  check(!changes("type"));
  check(["pending", "processing", "completed", "failed", "cancelled"].includes(row.status));
  check(row.status !== "processing" || !task.ended);
  if (!(Object.keys(set) as (keyof Changes)[]).some(changes)) return true;
  const runAt = Math.max(state.now, changes("run_at") ? row.run_at : 0);

  if (row.status === "pending" && old.status === "pending") {
    if (changes("run_at")) state.wait(task, runAt);
    return true;
  }
  if (row.status === "pending" && task.ended) return revive(state, task, runAt);
  if (row.status === "processing") {
    const lease = state.leaseOf(task);
    if (lease) lease.startedAt = row.started_at ?? lease.startedAt;
    else holdByHand(state, task, "an update of tasks", row.started_at ?? state.now);
    return true;
  }

  const by = { worker: old.worker_id, startedAt: row.started_at ?? old.started_at, fence: null };
  const error = row.error ?? `set to ${row.status} by an update`;
  state.withdraw(task);
  if (row.status === "pending") {
    state.note(task, "lost", by, error);
    state.wait(task, runAt);
  } else {
    const failsAnew = row.status === "failed" && (old.status !== "failed" || changes("error"));
    if (failsAnew) state.note(task, "failed", by, error);
    state.end(task, row.status as Task["status"], by, row.completed_at ?? state.now);
  }
  return true;
}
