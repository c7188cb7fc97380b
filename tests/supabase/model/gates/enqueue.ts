import assert from "node:assert/strict";
import { check, Refusal } from "../refusal.ts";
import type { Calls, Enqueued, NewTask } from "./calls.ts";
import type { Task, Tasks } from "./state.ts";

export function enqueue(
  state: Tasks,
  { tasks }: Calls["enqueue"],
  seen: Enqueued[] | null,
): Enqueued[] {
  check(tasks.length > 0 && tasks.every(isGood));
  return state.wholly(() => {
    const answers: Enqueued[] = [];
    for (const [nth, n] of inTurn(tasks).entries()) {
      // Where the call was refused none has an id; then these would come after all others.
      answers[n] = put(state, tasks[n], seen?.[n].id ?? `~${nth}`);
    }
    return answers;
  });
}

/** Those with unique keys first, in the order of these; all others as they were given. */
function inTurn(tasks: NewTask[]): number[] {
  const last = "~";
  const rank = ({ type, unique_key }: NewTask) => `${type} ${unique_key ?? last}`;
  return [...tasks.keys()].sort((a, b) =>
    rank(tasks[a]) === rank(tasks[b]) ? a - b : rank(tasks[a]) < rank(tasks[b]) ? -1 : 1
  );
}

function put(state: Tasks, task: NewTask, id: string): Enqueued {
  const holder = state.holderOf(task.type, task.unique_key ?? null, task.unique_scope);
  if (!holder) {
    add(state, task, id);
    return { id, deduplicated: false, replaced: false };
  }
  if (task.unique_mode === "reject") throw new Refusal("PT409");
  const changes = task.unique_mode === "replace" || task.unique_mode === "debounce";
  const replaced = changes && holder.status === "pending";
  if (replaced) replace(state, holder as Task, task);
  return { id: holder.id, deduplicated: true, replaced };
}

/** The id is the database's to choose, but for the order. */
function add(state: Tasks, given: NewTask, id: string): void {
  assert.ok(!state.ids.includes(id), `${id} is not the id of a new task`);
  const runAt = Math.max(state.now, given.run_at ?? 0);
  const task: Task = {
    id,
    type: given.type,
    priority: given.priority ?? 0,
    maxAttempts: given.max_attempts ?? 5,
    key: given.unique_key ?? null,
    payload: given.payload,
    owner: given.key ?? null,
    orderKey: given.order_key ?? null,
    enqueuedFor: runAt,
    status: "pending",
    runAt,
    since: state.now,
    backSince: -Infinity,
    attempts: [],
    ended: null,
    result: null,
    progress: null,
  };
  const before = state.inOrderWith(task).at(-1);
  assert.ok(!before || before.id < id, `${id} was enqueued after ${before?.id}`);
  state.ids.push(id);
  state.tasks.set(id, task);
  const { unique_seconds } = given;
  state.giveKey(task, unique_seconds ? state.now + unique_seconds * 1000 : undefined);
}

/** `debounce` changes what is to be done and when, `replace` also how. */
function replace(state: Tasks, task: Task, given: NewTask): void {
  const runAt = Math.max(state.now, given.run_at ?? 0);
  state.wait(task, runAt);
  task.enqueuedFor = runAt;
  task.payload = given.unique_merge ? { ...task.payload, ...given.payload } : given.payload;
  if (given.unique_mode === "debounce") return;
  task.priority = given.priority ?? 0;
  task.maxAttempts = given.max_attempts ?? 5;
}

function isGood({ unique_key, unique_mode, unique_scope, unique_seconds, unique_merge }: NewTask) {
  const anything = [unique_mode, unique_scope, unique_seconds, unique_merge]
    .some((field) => field !== undefined);
  return (unique_key || !anything) && (!unique_merge || unique_mode === "debounce");
}
