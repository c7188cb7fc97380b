import assert from "node:assert/strict";
import { check } from "../refusal.ts";
import type { Calls, Grant, Outcome, Settled, Settlement } from "./calls.ts";
import { checkClaim, grant, lease } from "./claim.ts";
import { count, type Lease, type Task, type Tasks } from "./state.ts";

/** The heartbeat. A lease that ran out counts as held as long as nobody took it back. */
export function renew(state: Tasks, { fence, seconds, progress }: Calls["renew"]): string[] {
  check(seconds > 0);
  const lease = state.leases.get(fence);
  if (!lease) return [];
  lease.expiresAt = state.now + seconds * 1000;
  const held = [...lease.held];
  const reported = held.find(({ id }) => id === progress?.id);
  if (reported) reported.progress = progress!.value;
  return held.map(({ id }) => id).sort();
}

export function settle(state: Tasks, { request, ...settlement }: Calls["settle"]): Settled {
  return state.requests.once("settle", request, () => {
    checkSettlement(settlement);
    return settleLease(state, settlement);
  });
}

export function settle_and_claim(
  state: Tasks,
  call: Calls["settle_and_claim"],
  seen: Settled & Grant | null,
): Settled & Grant {
  const { settled, lost, fence } = state.requests.once("settle_and_claim", call.request, () => {
    checkSettlement(call);
    checkClaim(call);
    return { ...settleLease(state, call), fence: lease(state, call, seen) };
  });
  return { settled, lost, ...grant(state, state.leases.get(fence ?? ""), fence) };
}

function checkSettlement({ outcomes, rest }: Settlement): void {
  const statuses = ["succeeded", "failed", "released"];
  check(rest === null || statuses.includes(rest));
  check(outcomes.every(({ status }) => statuses.includes(status)));
  check(outcomes.every(({ status, result }) => status === "succeeded" || result === undefined));
  check(new Set(outcomes.map(({ id }) => id)).size === outcomes.length);
}

/** What the lease does not hold is lost to it, unless it said the same before. */
function settleLease(state: Tasks, { fence, outcomes, rest }: Settlement): Settled {
  const lease = state.leases.get(fence);
  const named = new Map(outcomes.map((outcome) => [outcome.id, outcome]));
  const settled: [Task, Omit<Outcome, "id">][] = [];
  for (const task of lease?.held ?? []) {
    const outcome = named.get(task.id) ?? (rest && { status: rest });
    if (outcome) settled.push([task, outcome]);
    named.delete(task.id);
  }
  const lost = [...named.values()].filter(({ id, status }) =>
    !wasSettled(state, fence, id, status)
  );

  for (const [task, outcome] of settled) {
    state.withdraw(task);
    if (outcome.status === "succeeded") {
      state.end(task, "completed", lease!);
      task.result = outcome.result ?? task.result;
    } else if (outcome.status === "failed") fail(state, task, lease!, outcome);
  }
  state.giveBack(settled.filter(([, { status }]) => status === "released").map(([task]) => task));
  return {
    settled: settled.length + named.size - lost.length,
    lost: lost.map(({ id }) => id).sort(),
  };
}

function wasSettled(state: Tasks, fence: string, id: string, status: string): boolean {
  const task = state.tasks.get(id);
  if (status === "succeeded") return task?.status === "completed" && task.ended?.fence === fence;
  return task?.attempts.some(({ outcome, by }) => outcome === status && by.fence === fence) ??
    false;
}

function fail(state: Tasks, task: Task, lease: Lease, { error, permanent }: Omit<Outcome, "id">) {
  state.note(task, "failed", lease, error ?? null);
  const failures = count(task, "failed");
  if (permanent || failures >= task.maxAttempts) return state.end(task, "failed", lease);
  state.wait(task, Infinity);
  const { now } = state;
  state.questions.push((rows) => {
    const wait = rows.get(task.id)!.run_at - now;
    const about = 1000 * 2 ** (failures - 1);
    assert.ok(
      wait >= 0.75 * about && wait <= 1.25 * about,
      `${wait} ms after ${failures} failures`,
    );
    task.runAt = now + wait;
  });
}
