import assert from "node:assert/strict";
import { check } from "../refusal.ts";
import type { Calls, Claim, Grant } from "./calls.ts";
import { mayLease } from "./claim_order.ts";
import { lose } from "./control.ts";
import { byId, count, laneOf, type Lease, type Task, type Tasks } from "./state.ts";

/** A claim finds what went back to its old place once a second; between, a hint is good for 200 ms. */
const OVERLOOKED_FOR = 1200;
/** Nor does a claim by a hint that is new look for leases that ran out. */
const NOT_REAPED_FOR = 200;

export function claim(
  state: Tasks,
  { request, ...claim }: Calls["claim"],
  seen: Grant | null,
): Grant {
  const before = state.requests.recall<string>("claim", request);
  const fence = before ?? lease(state, claim, seen);
  // Who got nothing may ask again.
  if (fence) state.requests.remember("claim", request, fence);
  const held = state.leases.get(fence ?? "");
  return grant(state, held, held ? fence : null);
}

/** `claim_task`, of clients that know nothing of leases: there is a lease, but nobody has its fence. */
export function claim_one(state: Tasks, _call: object, seen: Grant | null): Grant {
  const got = judge(state, { types: null, limit: 1 }, seen);
  if (got.length === 0) return grant(state, undefined, null);
  holdByHand(state, got[0], "claim_task", state.now);
  return grant(state, state.leaseOf(got[0]), null);
}

/** Leases what the database chose, if the choice is lawful. Returns the fence, if anything was due. */
export function lease(state: Tasks, claim: Claim, seen: Grant | null): string | null {
  checkClaim(claim);
  const tasks = judge(state, claim, seen);
  if (tasks.length === 0) return null;
  const fence = seen!.fence!;
  const latest = state.grants.at(-1)?.fence ?? 0;
  assert.ok(Number(fence) > Number(latest), `fence ${fence} comes after ${latest}`);
  state.grants.push({ fence, ids: tasks.map(({ id }) => id) });
  const expiresAt = state.now + claim.seconds * 1000;
  state.hold(tasks, { fence, worker: claim.worker, startedAt: state.now, expiresAt });
  return fence;
}

export function checkClaim({ worker, limit, seconds }: Claim): void {
  check(worker !== "" && limit > 0 && seconds > 0);
}

export function holdByHand(state: Tasks, task: Task, worker: string, startedAt: number): void {
  const fence = `of ${task.id}`;
  state.hold([task], { fence, worker, startedAt, expiresAt: state.now + 900_000 });
}

/** What a grant still holds, by priority and age. */
export function grant(state: Tasks, lease: Lease | undefined, fence: string | null): Grant {
  return {
    fence,
    lease_expires_at: lease?.expiresAt ?? null,
    lease_ms: lease ? Math.max(0, lease.expiresAt - state.now) : 0,
    tasks: [...lease?.held ?? []].sort(byPriorityAndAge).map((task) => ({
      id: task.id,
      type: task.type,
      attempt: 1 + count(task, "failed") + count(task, "lost"),
      max_attempts: task.maxAttempts,
    })),
    overdue: state.overdue().length > 0,
  };
}

/** The tasks that were seen to be leased. Fails when a claim may not lease them. */
function judge(
  state: Tasks,
  { types, limit }: Pick<Claim, "types" | "limit">,
  seen: Grant | null,
): Task[] {
  assert.ok(seen, "refused");
  reapBefore(state, seen);
  const tasks = state.all().filter(({ status, runAt, type }) =>
    status === "pending" && runAt <= state.now && (types?.includes(type) ?? true)
  );
  const due = new Map(tasks.map((task) => [task.id, {
    id: task.id,
    type: task.type,
    priority: task.priority,
    runAt: task.runAt,
    wentBack: task.backSince > -Infinity,
    mayBeOverlooked: task.backSince > state.now - OVERLOOKED_FOR,
    losses: count(task, "lost"),
  }]));
  const leased = seen.tasks.map(({ id }) => due.get(id)!);
  assert.ok(
    mayLease(leased, [...due.values()], { limit, types }),
    `a claim of ${limit} may not lease ${Deno.inspect(leased)} of ${
      Deno.inspect([...due.values()])
    }`,
  );
  const held = tasks.filter((task) => leased.some(({ id }) => id === task.id));
  if (leased[0]?.losses > 1) wentBack(state, tasks.filter((task) => !held.includes(task)));
  return held;
}

/** A claim takes back what ran out, except a moment ago. */
function reapBefore(state: Tasks, seen: Grant): void {
  const overdue = state.overdue();
  const mustReap = overdue.some(({ expiresAt }) => expiresAt < state.now - NOT_REAPED_FOR);
  if (mustReap || !seen.overdue) overdue.forEach((lease) => lose(state, lease));
}

/** What was taken with suspects is where it was, or where some other that is alike was. */
function wentBack(state: Tasks, tasks: Task[]): void {
  const alike = Map.groupBy(tasks, laneOf);
  const { now } = state;
  state.questions.push((rows) => {
    for (const task of tasks) {
      const runAt = rows.get(task.id)!.run_at;
      const lawful = runAt === task.runAt ||
        alike.get(laneOf(task))!.some(({ enqueuedFor }) => runAt === Math.min(now, enqueuedFor));
      assert.ok(lawful, `${task.id} went back to ${runAt}`);
      Object.assign(task, { runAt, backSince: now });
    }
  });
}

const byPriorityAndAge = (a: Task, b: Task) =>
  a.priority - b.priority || a.enqueuedFor - b.enqueuedFor || byId(a, b);
