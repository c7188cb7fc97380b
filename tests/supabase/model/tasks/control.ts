import { check } from "../refusal.ts";
import type { Answers, Calls } from "./calls.ts";
import { byId, count, type Lease, NOBODY, type Task, type Tasks } from "./state.ts";

/** `dibs.settings.max_losses` of the model test: ten losses in a row would be seen too seldom. */
export const MAX_LOSSES = 3;

export function reap(state: Tasks): number {
  const overdue = state.overdue();
  const reaped = overdue.reduce((sum, { held }) => sum + held.size, 0);
  for (const lease of overdue) lose(state, lease);
  return reaped;
}

/** A lost attempt is no failure: it has a cap of its own, and the task its place among the others. */
export function lose(state: Tasks, lease: Lease): void {
  const again: Task[] = [];
  for (const task of lease.held) {
    state.withdraw(task);
    state.note(task, "lost", lease, "the lease ended before the task was settled");
    if (count(task, "lost") >= MAX_LOSSES) state.end(task, "failed", lease);
    else again.push(task);
  }
  state.giveBack(again);
}

export function release(state: Tasks, { worker }: Calls["release"]): number {
  check(worker !== "");
  const held = state.all().filter((task) => state.leaseOf(task)?.worker === worker);
  for (const task of held) state.withdraw(task);
  state.giveBack(held);
  return held.length;
}

export function cancel(state: Tasks, { ids }: Calls["cancel"]): string[] {
  return known(state, ids).filter(({ ended }) => !ended).map((task) => {
    state.withdraw(task);
    state.end(task, "cancelled", NOBODY);
    return task.id;
  });
}

export function retry(state: Tasks, { ids }: Calls["retry"]): string[] {
  return known(state, ids)
    .filter(({ status }) => status === "failed" || status === "cancelled")
    // One after the other: of those that had the same unique key the first gets it.
    .filter((task) => revive(state, task, state.now))
    .map(({ id }) => id);
}

/** Lets a task that ended run again, unless another one has its unique key by now. */
export function revive(state: Tasks, task: Task, runAt: number): boolean {
  if (state.holderOf(task.type, task.key)) return false;
  state.note(task, "retried", NOBODY, null);
  state.wait(task, runAt);
  return true;
}

export function prune(state: Tasks, { seconds }: Calls["prune"]): number {
  check(seconds >= 0);
  const old = state.all().filter(({ ended }) => ended && ended.at < state.now - seconds * 1000);
  for (const { id } of old) state.tasks.delete(id);
  return old.length;
}

export function history(state: Tasks, { id }: Calls["history"]): Answers["history"] {
  const task = state.tasks.get(id);
  if (!task) return [];
  const all: { outcome: string; by: typeof NOBODY; endedAt: number; error: string | null }[] = [
    ...task.attempts,
  ];
  if (task.ended && task.status !== "failed") {
    all.push({ outcome: task.status, by: task.ended, endedAt: task.ended.at, error: null });
  }
  return all.map(({ outcome, by, endedAt, error }, n) => ({
    attempt: n + 1,
    outcome,
    worker_id: by.worker,
    started_at: by.startedAt,
    ended_at: endedAt,
    error,
  }));
}

function known(state: Tasks, ids: string[]): Task[] {
  return [...new Set(ids)].flatMap((id) => state.tasks.get(id) ?? []).sort(byId);
}
