import assert from "node:assert/strict";
import { checkClaim, grant } from "../tasks/claim.ts";
import { lose } from "../tasks/control.ts";
import { count } from "../tasks/state.ts";
import type { Claim, Grant } from "./calls.ts";
import type { Task, Tasks } from "./state.ts";

/** A claim finds what went back to its old place once a second; between, a hint is good for 200 ms. */
const OVERLOOKED_FOR = 1200;
/** A claim by a hint that is new asks neither for leases that ran out nor for gates. */
const HINT_IS_NEW_FOR = 200;

export function claim(state: Tasks, call: Claim, seen: Grant | null): Grant {
  checkClaim(call);
  assert.ok(seen, "refused");
  reapBefore(state, seen);
  const tasks = judge(state, call, seen);
  if (tasks.length === 0) return grant(state, undefined, null);
  const fence = seen.fence!;
  const latest = state.grants.at(-1)?.fence ?? 0;
  assert.ok(Number(fence) > Number(latest), `fence ${fence} comes after ${latest}`);
  state.grants.push({ fence, ids: tasks.map(({ id }) => id) });
  const expiresAt = state.now + call.seconds * 1000;
  state.hold(tasks, { fence, worker: call.worker, startedAt: state.now, expiresAt });
  return grant(state, state.leases.get(fence), fence);
}

export function drain(state: Tasks, call: Claim, seen: Grant[] | null): Grant[] {
  checkClaim(call);
  assert.ok(seen, "refused");
  assert.equal(seen.at(-1)!.tasks.length, 0, "claims come to an end");
  return seen.map((one) => claim(state, call, one));
}

function reapBefore(state: Tasks, seen: Grant): void {
  const overdue = state.overdue();
  const mustReap = !state.gate("everything", null, null) &&
    overdue.some(({ expiresAt }) => expiresAt < state.now - HINT_IS_NEW_FOR);
  if (mustReap || !seen.overdue) overdue.forEach((lease) => lose(state, lease));
}

/**
 * The tasks that were seen to be granted. Fails where a gate does not let them through, where none was granted although
 * one could be, and where a less urgent one was granted in the place of another.
 */
function judge(state: Tasks, { types, limit }: Claim, seen: Grant): Task[] {
  const { now } = state;
  const due = state.all().filter(({ status, runAt, type }) =>
    status === "pending" && runAt <= now && (types?.includes(type) ?? true)
  );
  const granted = seen.tasks.map(({ id }) => {
    const task = due.find((task) => task.id === id);
    assert.ok(task, `${id} is not due`);
    return task;
  });
  assert.ok(granted.length <= limit, "more than were asked for");
  assert.equal(whatForbids(state, granted), null);
  const suspicious = granted.filter((task) => count(task, "lost") > 1);
  assert.ok([0, granted.length].includes(suspicious.length), "suspects are leased by themselves");

  const left = due.filter((task) => !granted.includes(task));
  const seeable = left.filter(({ backSince }) => backSince <= now - OVERLOOKED_FOR);
  if (granted.length === 0) {
    const free = seeable.find((task) => whatForbids(state, [task]) === null);
    assert.equal(free, undefined, "one could be granted");
  }
  // One that is not full may have come upon tasks that first had to move to their gates.
  if (granted.length === limit && state.gatesChanged <= now - HINT_IS_NEW_FOR) {
    for (const task of seeable.filter(({ since }) => since <= now - HINT_IS_NEW_FOR)) {
      for (const other of granted.filter(({ priority }) => priority > task.priority)) {
        const instead = granted.map((one) => one === other ? task : one);
        assert.ok(whatForbids(state, instead) !== null, `${task.id} goes before ${other.id}`);
      }
    }
  }
  // What was taken with suspects, and what a claim had taken before it saw that all is paused, went back.
  if (suspicious.length > 0 || state.gate("everything", null, null)) {
    for (const task of left) task.backSince = now;
  }
  return granted;
}

/** Why these due tasks cannot all be granted now; null where they can. */
function whatForbids(state: Tasks, tasks: Task[]): string | null {
  for (const task of tasks) {
    const { id, type, owner, orderKey } = task;
    if (state.isPaused(task)) return `${id} is paused`;
    const most = state.gate("type", type, null)?.most ?? Infinity;
    const all = state.running(type, null).concat(tasks.filter((other) => other.type === type));
    if (all.length > most) return `${most} of type ${type} run at once`;
    if (owner !== null) {
      const most = state.gate("key", type, owner)?.most ??
        state.gate("each key", type, null)?.most ??
        Infinity;
      const own = all.filter((other) => other.owner === owner);
      if (own.length > most) return `${most} of key ${owner} of type ${type} run at once`;
    }
    if (orderKey !== null) {
      const line = state.inOrderWith(task);
      if (line[0] !== task) return `${id} comes after ${line[0].id}`;
      const running = line.find(({ status }) => status === "processing");
      if (running) return `${running.id} is running`;
    }
  }
  return null;
}
