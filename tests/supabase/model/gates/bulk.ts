// Many tasks at once, by a filter.
import assert from "node:assert/strict";
import { check } from "../refusal.ts";
import { cancel } from "../tasks/control.ts";
import type { Bulk, Calls, Filter, Payload, Told } from "./calls.ts";
import { keyIsFree, retryAll } from "./control.ts";
import type { Task, Tasks } from "./state.ts";

export function cancel_where(state: Tasks, bulk: Calls["cancel_where"], seen: Told | null): Told {
  return toAll(state, bulk, seen, ["pending", "processing"], () => true, (tasks) => {
    cancel(state, { ids: tasks.map(({ id }) => id) });
    return tasks;
  });
}

export function retry_where(state: Tasks, bulk: Calls["retry_where"], seen: Told | null): Told {
  const may = (task: Task) => keyIsFree(state, task);
  return toAll(state, bulk, seen, ["failed", "cancelled"], may, (tasks) => retryAll(state, tasks));
}

export function reprioritize_where(
  state: Tasks,
  { priority, ...bulk }: Calls["reprioritize_where"],
  seen: Told | null,
): Told {
  const may = (task: Task) => task.priority !== priority;
  return toAll(state, bulk, seen, ["pending"], may, (tasks) => {
    // When they are due stays, so claims may overlook them for a moment, as what went back.
    for (const task of tasks) Object.assign(task, { priority, backSince: state.now });
    return tasks;
  });
}

/** How many ids an answer has at most. */
const SAMPLE = 10;

/** Where there are more tasks than a call may change, which of them is the database's choice. */
function toAll(
  state: Tasks,
  { filter, dry_run, limit }: Bulk,
  seen: Told | null,
  statuses: string[],
  may: (task: Task) => boolean,
  change: (tasks: Task[]) => Task[],
): Told {
  check(Object.keys(filter).length > 0 && limit > 0);
  check(filter.statuses?.every((status) => statuses.includes(status)) ?? true);
  assert.ok(seen, "refused");
  const fitting = state.all().filter((task) =>
    statuses.includes(task.status) && fits(task, filter) && may(task)
  );
  const chosen = fitting.filter(({ id }) => fitting.length <= limit || seen.sample.includes(id));
  const done = dry_run ? fitting : change(chosen);
  assert.deepEqual(done.length, dry_run ? fitting.length : seen.tasks);
  assert.ok(fitting.length === 0 || done.length > 0, "something is done");
  const known = done.filter(({ id }) => seen.sample.includes(id));
  assert.equal(known.length, Math.min(SAMPLE, done.length), "the sample is of what was done");
  const more = dry_run
    ? fitting.length > 0
    : fitting.length >= limit || done.length < fitting.length;
  return { dry_run, tasks: done.length, more, sample: known.map(({ id }) => id).sort() };
}

function fits(task: Task, filter: Filter): boolean {
  const { types, statuses, ids, error, unique_key_prefix, key, order_key, payload } = filter;
  const lastError = task.attempts.at(-1)?.error ?? "";
  return (types?.includes(task.type) ?? true) && (statuses?.includes(task.status) ?? true) &&
    (ids?.includes(task.id) ?? true) &&
    (!error || lastError.includes(error.replaceAll("%", ""))) &&
    (!unique_key_prefix || (task.key ?? "").startsWith(unique_key_prefix)) &&
    (!key || task.owner === key) && (!order_key || task.orderKey === order_key) &&
    (!payload || contains(task.payload, payload));
}

const contains = (all: Payload, some: Payload): boolean =>
  Object.entries(some).every(([field, value]) => all[field] === value);
