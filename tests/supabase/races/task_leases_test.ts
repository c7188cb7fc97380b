// Leases of tasks: whoever holds one, whoever takes it back, and whoever comes late.
import { race } from "../../support/permutations.ts";
import { singleTasks, tasks } from "./task_steps.ts";

const expired = { world: singleTasks("x"), given: "a claims 1 -> x, one hour passes" };

race("a heartbeat in the last moment, and whoever takes the lease back", {
  ...expired,
  permutations: [
    "a begins, a renews -> x, b claims 1 -> none, a commits, b claims 1 -> none => x: a #1",
    "a begins, a renews -> x, b claims 1 -> none, a rolls back, b claims 1 -> x => x: b #2",
    "b begins, b claims 1 -> x, a renews… -> none, b commits => x: b #2",
    "b begins, b claims 1 -> x, a renews… -> x, b rolls back, b claims 1 -> none => x: a #1",
    "b begins, b reaps -> 1, a renews… -> none, b commits => x: pending #1",
    "b begins, b reaps -> 1, c reaps -> 0, b rolls back, c reaps -> 1 => x: pending #1",
  ],
});

race("a worker that ends in the last moment, and whoever takes the lease back", {
  ...expired,
  permutations: [
    "a begins, a settles x succeeded -> settled 1, b claims 1 -> none, a commits => x: completed #1",
    "a begins, a settles x succeeded -> settled 1, b claims 1 -> none, a rolls back, b claims 1 -> x => x: b #2",
    "a begins, a settles all succeeded -> settled 1, b reaps -> 0, a commits => x: completed #1",
    "b begins, b claims 1 -> x, a settles x succeeded… -> settled 0 lost x, b commits => x: b #2",
    "b begins, b claims 1 -> x, a settles x succeeded… -> settled 1, b rolls back => x: completed #1",
    "b begins, b reaps -> 1, a settles all failed… -> settled 0, b commits => x: pending #1",
  ],
});

race("a worker that comes back after its lease was taken over", {
  world: singleTasks("x", "y"),
  given: "a claims 1 -> x, one hour passes, b begins, b claims 1 -> x, b commits",
  permutations: [
    "a settles x succeeded -> settled 0 lost x, b renews -> x => x: b #2, y: pending",
    "a settles x failed -> settled 0 lost x, b renews -> x => x: b #2, y: pending",
    "a settles x discarded -> settled 0 lost x, b renews -> x => x: b #2, y: pending",
    "a settles x released -> settled 0 lost x, b renews -> x => x: b #2, y: pending",
    "a settles all succeeded -> settled 0, b renews -> x => x: b #2, y: pending",
    "a swaps 1 -> settled 0 got y, b renews -> x => x: b #2, y: a #1",
    `b begins, b settles x failed -> settled 1, a settles x succeeded -> settled 0 lost x, b commits
      => x: pending #2, y: pending`,
    `b begins, b settles all succeeded -> settled 1, a settles x released -> settled 0 lost x, b rolls back
      => x: b #2, y: pending`,
  ],
});

race("two outcomes for one grant of tasks", {
  world: tasks("x", "y"),
  given: "a claims 2 -> x y",
  permutations: [
    `a begins, a settles x failed -> settled 1, a2 settles x succeeded y succeeded… -> settled 1 lost x, a commits
      => x: pending #1, y: completed #1`,
    `a begins, a settles x failed -> settled 1, a2 settles x succeeded y succeeded… -> settled 2, a rolls back
      => x: completed #1, y: completed #1`,
    `a begins, a settles all succeeded -> settled 2, a2 settles all failed… -> settled 0, a commits
      => x: completed #1, y: completed #1`,
    `a begins, a settles x released -> settled 1, a2 settles all succeeded… -> settled 1, a commits
      => x: pending, y: completed #1`,
    `a begins, a settles x succeeded -> settled 1, a2 settles x succeeded… -> settled 1, a commits
      => x: completed #1, y: a #1`,
  ],
});

race("leases that had to be waited for", {
  world: singleTasks("x", "y"),
  given: "a claims 1 -> x",
  permutations: [
    "a2 begins, a2 mails x -> go, a renews… -> x, one hour passes, a2 commits, b claims 1 -> y => x: a #1, y: b #1",
    `a2 begins, a2 renews -> x, a swaps 1… -> settled 1 got y, one hour passes, a2 commits, b claims 1 -> none
      => x: completed #1, y: a #1`,
    `c begins, c cancels x -> x, a swaps 1… -> settled 0 got y, one hour passes, c commits, b claims 1 -> none
      => x: cancelled, y: a #1`,
  ],
});

race("a heartbeat that had to wait for the end of a part", {
  world: tasks("x", "y"),
  given: "a claims 2 -> x y",
  permutations: [
    `a begins, a settles x succeeded -> settled 1, a2 renews… -> y, one hour passes, a commits,
      b claims 2 -> none => x: completed #1, y: a #1`,
    `a begins, a settles x succeeded -> settled 1, a2 renews… -> x y, one hour passes, a rolls back,
      b claims 2 -> none => x: a #1, y: a #1`,
  ],
});

race("an effect outside, and the lease it needs", {
  world: singleTasks("x"),
  given: "a claims 1 -> x",
  permutations: [
    "a begins, a settles x succeeded -> settled 1, a2 mails x… -> error PT409, a commits => x: completed #1",
    "c begins, c cancels x -> x, a mails x… -> error PT409, c commits => x: cancelled",
    "a begins, a mails x -> go, a2 mails x… -> parked, a commits => x: a #1",
    "a begins, a mails x -> go, a2 mails x… -> go, a rolls back => x: a #1",
    `a begins, a mails x -> go, one hour passes, b claims 1 -> none, a commits, b claims 1 -> x,
      b mails x -> parked => x: b #2`,
    `a begins, a mails x -> go, one hour passes, b claims 1 -> none, a rolls back, b claims 1 -> x,
      b mails x -> go => x: b #2`,
  ],
});

race("an effect outside, and a lease that has run out", {
  ...expired,
  permutations: [
    "a mails x -> error PT409, b claims 1 -> x, b mails x -> go => x: b #2",
    "b begins, b claims 1 -> x, a mails x… -> error PT409, b mails x -> go, b commits => x: b #2",
    "b begins, b claims 1 -> x, a mails x… -> error PT409, b rolls back => x: a #1",
  ],
});

race("leases under repeatable read", {
  ...expired,
  permutations: [
    `a begins repeatable read, a looks -> 1, b claims 1 -> x, a settles x succeeded -> error 40001, a rolls back,
      a settles x succeeded -> settled 0 lost x => x: b #2`,
    `b begins repeatable read, b looks -> 1, a renews -> x, b claims 1 -> error 40001, b rolls back,
      b claims 1 -> none => x: a #1`,
  ],
});
