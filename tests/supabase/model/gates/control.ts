// What people do: retry, set gates.
import { check } from "../refusal.ts";
import { byId, NOBODY } from "../tasks/state.ts";
import type { Calls, Limited, Paused } from "./calls.ts";
import type { Task, Tasks } from "./state.ts";

export function retry(state: Tasks, { ids }: Calls["retry"]): string[] {
  const tasks = [...new Set(ids)].flatMap((id) => state.tasks.get(id) ?? []);
  return retryAll(state, tasks).map(({ id }) => id);
}

/** One after the other: of those that had the same unique key the first gets it. */
export function retryAll(state: Tasks, tasks: Task[]): Task[] {
  return tasks.filter(({ status }) => status === "failed" || status === "cancelled").sort(byId)
    .filter((task) => {
      if (!keyIsFree(state, task)) return false;
      state.giveKey(task);
      state.note(task, "retried", NOBODY, null);
      state.wait(task, state.now);
      return true;
    });
}

/** Whether nobody else has its unique key by now. */
export function keyIsFree(state: Tasks, task: Task): boolean {
  return [undefined, task].includes(state.holderOf(task.type, task.key));
}

// Gates --------------------------------------------------------------------------------------------

export function set_limit(state: Tasks, { limit, ...limited }: Calls["set_limit"]): null {
  check(limit > 0);
  state.setGate(limitedBy(limited), { most: limit });
  return null;
}

export function remove_limit(state: Tasks, limited: Calls["remove_limit"]): boolean {
  const { scope, type, key } = limitedBy(limited);
  if ((state.gate(scope, type, key)?.most ?? null) === null) return false;
  state.setGate({ scope, type, key }, { most: null });
  return true;
}

export function pause(state: Tasks, paused: Calls["pause"]): number {
  const { scope, type, key } = pausedBy(paused);
  const pausedAt = state.gate(scope, type, key)?.pausedAt ?? state.now;
  state.setGate({ scope, type, key }, { pausedAt });
  return state.running(type, key).length;
}

export function resume(state: Tasks, paused: Calls["resume"]): boolean {
  const { scope, type, key } = pausedBy(paused);
  if ((state.gate(scope, type, key)?.pausedAt ?? null) === null) return false;
  state.setGate({ scope, type, key }, { pausedAt: null });
  return true;
}

function limitedBy({ type, key, each_key }: Limited) {
  check(!each_key || key === null);
  return { scope: each_key ? "each key" : key === null ? "type" : "key", type, key } as const;
}

function pausedBy({ type, key }: Paused) {
  check(type !== null || key === null);
  return {
    scope: type === null ? "everything" : key === null ? "type" : "key",
    type,
    key,
  } as const;
}
