// Claims of tasks against claims and against whoever enqueues: nobody waits, nothing is lost.
import { interleavings, race } from "../../support/permutations.ts";
import { singleTasks, tasks } from "./task_steps.ts";

race("claims of tasks that wait one by one", {
  world: singleTasks("x", "y", "z"),
  given: "a begins, b begins",
  permutations: interleavings(
    ["a claims 1", "a claims 1", "a commits"],
    ["b claims 1", "b commits"],
  ).map((order) => oldestFirst(order)),
});

race("claims of tasks that wait one by one, one of which is given up", {
  world: singleTasks("x", "y", "z"),
  given: "a begins, b begins",
  permutations: interleavings(
    ["a claims 1", "a rolls back"],
    ["b claims 1", "b claims 1", "b commits"],
  ).map((order) => oldestFirst(order)),
});

race("claims of tasks that wait as one run", {
  world: tasks("x", "y", "z"),
  permutations: [
    "a begins, a claims 1 -> x, b claims 3 -> none, a commits, b claims 3 -> y z => x: a #1, y: b #1, z: b #1",
    "a begins, a claims 1 -> x, b claims 3 -> none, a rolls back, b claims 3 -> x y z => x: b #1, y: b #1, z: b #1",
    `a begins, a takes -> x, b takes -> none, a commits, b takes -> y
      => x: claim_task #1, y: claim_task #1, z: pending`,
  ],
});

race("claims of expired tasks", {
  world: singleTasks("x", "y"),
  given: "c claims 2 -> x y, one hour passes",
  permutations: [
    "a begins, a claims 1 -> x, b claims 2 -> none, a commits, b claims 2 -> y => x: a #2, y: b #2",
    "a begins, a claims 1 -> x, b claims 2 -> none, a rolls back, b claims 2 -> x y => x: b #2, y: b #2",
    "a begins, a reaps -> 2, b claims 2 -> none, c renews… -> none, a commits, b claims 2 -> x y => x: b #2, y: b #2",
  ],
});

race("what is committed late, after younger tasks were claimed", {
  world: singleTasks("x"),
  permutations: [
    `c begins, c enqueues y, d enqueues z, b claims 9 -> x z, c commits, b claims 9 -> y
      => x: b #1, y: b #1, z: b #1`,
    `c begins, c enqueues y, b claims 9 -> x, b claims 9 -> none, c commits, b claims 9 -> y
      => x: b #1, y: b #1`,
    `c begins, c enqueues y, d enqueues z, b claims 9 -> x z, c rolls back, b claims 9 -> none
      => x: b #1, y: gone, z: b #1`,
    `a begins, a claims 1 -> x, d enqueues y z, b claims 1 -> y, a rolls back, b claims 2 -> x z
      => x: b #1, y: b #1, z: b #1`,
    `c begins, c enqueues y, b begins repeatable read, b claims 1 -> x, c commits, b claims 1 -> none, b commits,
      b claims 1 -> y => x: b #1, y: b #1`,
  ],
});

race("what comes back, or late, behind where others have begun to look", {
  world: singleTasks("x"),
  permutations: [
    `c begins, c enqueues y, one second passes, d enqueues z, b claims 9 -> x z, one second passes, d enqueues u,
      b claims 9 -> u, c commits, b claims 9 -> y => x: b #1, y: b #1, z: b #1, u: b #1`,
    `a begins, a claims 1 -> x, one second passes, d enqueues y, b claims 9 -> y, one second passes, d enqueues z,
      b claims 9 -> z, a rolls back, b claims 9 -> x => x: b #1, y: b #1, z: b #1`,
    `a claims 1 -> x, one second passes, d enqueues y, b claims 9 -> y, one second passes, d enqueues z,
      b claims 9 -> z, a begins, a settles x released -> settled 1, b claims 9 -> none, a commits, b claims 9 -> x
      => x: b #1, y: b #1, z: b #1`,
  ],
});

race("settling and claiming the next at once", {
  world: singleTasks("x", "y", "z", "u"),
  given: "a claims 1 -> x, b claims 1 -> y",
  permutations: [
    `a begins, a swaps 1 -> settled 1 got z, b swaps 1 -> settled 1 got u, a commits
      => x: completed #1, y: completed #1, z: a #1, u: b #1`,
    `a begins, a swaps 1 -> settled 1 got z, b swaps 2 -> settled 1 got u, a rolls back, b swaps 2
      -> settled 1 got z => x: a #1, y: completed #1, z: b #1, u: completed #1`,
    `a begins, a swaps 2 -> settled 1 got u z, b begins, b swaps 2 -> settled 1 got none, b commits, a commits
      => x: completed #1, y: completed #1, z: a #1, u: a #1`,
  ],
});

/** Every claim gets the oldest task that nobody has, committed or not, until somebody gives his up. */
function oldestFirst(order: string[]): string {
  const waiting = ["x", "y", "z"];
  const holders = new Map<string, string>();
  const trace = order.map((step) => {
    const [worker, verb] = step.split(" ");
    if (verb === "rolls") {
      for (const [task, holder] of holders) if (holder === worker) holders.delete(task);
    }
    if (verb !== "claims") return step;
    const next = waiting.find((task) => !holders.has(task))!;
    holders.set(next, worker);
    return `${step} -> ${next}`;
  });
  const state = waiting.map((task) =>
    `${task}: ${holders.has(task) ? `${holders.get(task)} #1` : "pending"}`
  );
  return `${trace.join(", ")} => ${state.join(", ")}`;
}
