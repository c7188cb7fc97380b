// Claims through gates against each other, and against whoever sets the gates.
import { race } from "../../support/permutations.ts";
import { keyedTasks, singleTasks, tasks } from "./task_steps.ts";

race("claims under a limit of one", {
  world: singleTasks("x", "y"),
  given: "o limits 1",
  permutations: [
    `a begins, a claims 2 -> x, b claims 2 -> none, a commits, b claims 2 -> none
      => x: a #1, y: pending`,
    `a begins, a claims 2 -> x, b claims 2 -> none, a rolls back, b claims 2 -> x
      => x: b #1, y: pending`,
    `a claims 2 -> x, a begins, a settles all succeeded -> settled 1, b claims 2 -> none, a commits,
      b claims 2 -> y => x: completed #1, y: b #1`,
    `a claims 2 -> x, a begins, a settles all succeeded -> settled 1, b claims 2 -> none, a rolls back,
      b claims 2 -> none => x: a #1, y: pending`,
    `a claims 2 -> x, a begins, a swaps 2 -> settled 1 got y, b claims 2 -> none, a commits, b claims 2 -> none
      => x: completed #1, y: a #1`,
    `a claims 2 -> x, b begins, b cancels x -> x, c claims 2 -> none, b commits, c claims 2 -> y
      => x: cancelled, y: c #1`,
    `a claims 2 -> x, one hour passes, b begins, b reaps -> 1, c claims 2 -> none, b commits, c claims 1 -> x
      => x: c #2, y: pending`,
    `a claims 2 -> x, b evicts a -> 1, b begins, b claims 1 -> x, c claims 2 -> none, b commits
      => x: b #1, y: pending`,
  ],
});

race("claims under a limit of two", {
  world: singleTasks("x", "y", "z"),
  given: "o limits 2",
  permutations: [
    `a begins, a claims 1 -> x, b begins, b claims 2 -> y, c claims 1 -> none, a commits, b commits, c claims 1 -> none
      => x: a #1, y: b #1, z: pending`,
    `a begins, a claims 1 -> x, b begins, b claims 2 -> y, a rolls back, c claims 3 -> x, b commits
      => x: c #1, y: b #1, z: pending`,
  ],
});

race("a limit that is set while tasks are being claimed", {
  world: tasks("x", "y", "z"),
  permutations: [
    `a begins, a claims 2 -> x y, o limits 1…, a commits, b claims 1 -> none, a settles x succeeded -> settled 1,
      b claims 1 -> none, a settles y succeeded -> settled 1, b claims 2 -> z
      => x: completed #1, y: completed #1, z: b #1`,
    `a begins, a claims 2 -> x y, o limits 1…, a rolls back, b claims 2 -> x
      => x: b #1, y: pending, z: pending`,
    `o begins, o limits 1, a claims 2 -> none, b enqueues w, a claims 2… -> w, o commits
      => x: pending, y: pending, z: pending, w: a #1`,
    `o begins, o limits 1, a claims 2 -> none, b enqueues w, a claims 2… -> w, o rolls back
      => x: pending, y: pending, z: pending, w: a #1`,
    `a claims 2 -> x y, o begins, o limits 1, a settles x succeeded… -> settled 1, o commits, b claims 1 -> none
      => x: completed #1, y: a #1, z: pending`,
  ],
});

race("a limit that is lowered or raised while tasks are being claimed under it", {
  world: singleTasks("w", "x", "y", "z"),
  given: "o limits 3",
  permutations: [
    `a claims 2 -> w x, o limits 1, a settles w succeeded -> settled 1, b claims 1 -> none
      => w: completed #1, x: a #1, y: pending, z: pending`,
    `a claims 3 -> w x y, o limits 2, a settles w succeeded x succeeded -> settled 2, b begins, b claims 2 -> z,
      c claims 2 -> none, b commits, c claims 1 -> none => w: completed #1, x: completed #1, y: a #1, z: b #1`,
    `a begins, a claims 1 -> w, o limits 1…, a commits, b claims 1 -> none
      => w: a #1, x: pending, y: pending, z: pending`,
    `o begins, o limits 1, a claims 3… -> w, o commits => w: a #1, x: pending, y: pending, z: pending`,
    `a claims 3 -> w x y, o begins, o limits 4, b claims 2… -> z, o commits => w: a #1, x: a #1, y: a #1, z: b #1`,
  ],
});

race("claims of tasks with the same order key", {
  world: keyedTasks({ order_key: "k" }, "x", "y"),
  permutations: [
    `a begins, a claims 2 -> x, b claims 2 -> none, a commits, b claims 2 -> none => x: a #1, y: pending`,
    `a begins, a claims 2 -> x, b claims 2 -> none, a rolls back, b claims 2 -> x => x: b #1, y: pending`,
    `a claims 2 -> x, a begins, a settles x succeeded -> settled 1, b claims 2 -> none, a commits, b claims 2 -> y
      => x: completed #1, y: b #1`,
    `a claims 2 -> x, a settles x failed -> settled 1, b claims 2 -> none, one hour passes, b claims 2 -> x
      => x: b #2, y: pending`,
    `a claims 2 -> x, a settles x discarded -> settled 1, b claims 2 -> y, o retries x -> x, c claims 2 -> none,
      b settles y failed -> settled 1, c claims 2 -> x => x: c #1, y: pending #1`,
    `a claims 2 -> x, one hour passes, b begins, b claims 2 -> x, c claims 2 -> none, a settles x succeeded… -> settled 0 lost x,
      b commits => x: b #2, y: pending`,
    `a claims 2 -> x, o begins, o cancels x -> x, b claims 2 -> none, o commits, b claims 2 -> y
      => x: cancelled, y: b #1`,
  ],
});

race("a task that is enqueued before and committed after another of its order key", {
  world: keyedTasks({ order_key: "k" }, "w"),
  given: "o cancels w -> w",
  permutations: [
    `a begins, a enqueues x, b enqueues y, c claims 2 -> y, a commits, d claims 2 -> none,
      c settles y failed -> settled 1, d claims 2 -> x => w: cancelled, x: d #1, y: pending #1`,
    `a begins, a enqueues x, b enqueues y, c begins, c claims 2 -> y, a commits, d claims 2 -> none, c rolls back,
      d claims 2 -> x => w: cancelled, x: d #1, y: pending`,
  ],
});

race("claims under a rate", {
  world: singleTasks("x", "y"),
  given: "o paces 1",
  permutations: [
    `a begins, a claims 2 -> x, b claims 2 -> none, a commits, b claims 2 -> none => x: a #1, y: pending`,
    `a begins, a claims 2 -> x, b claims 2 -> none, a rolls back, b claims 2 -> x => x: b #1, y: pending`,
    `a claims 2 -> x, a settles x succeeded -> settled 1, b claims 2 -> none, one hour passes, b claims 2 -> y
      => x: completed #1, y: b #1`,
  ],
});

race("a pause that begins or ends while tasks are being claimed", {
  world: tasks("x", "y"),
  permutations: [
    `a begins, a claims 1 -> x, o pauses… -> 1, a commits, b claims 2 -> none => x: a #1, y: pending`,
    `o begins, o pauses -> 0, a claims 1 -> none, b enqueues z, a claims 1… -> none, o commits
      => x: pending, y: pending, z: pending`,
    `o begins, o pauses -> 0, a claims 1 -> none, b enqueues z, a claims 1… -> z, o rolls back
      => x: pending, y: pending, z: a #1`,
    `o pauses -> 0, o begins, o resumes, a claims 2 -> none, o commits, a claims 2 -> x y => x: a #1, y: a #1`,
    `a claims 2 -> x y, o pauses -> 2, a settles x released y failed -> settled 2, one hour passes, b claims 2 -> none,
      o pauses -> 0, o resumes, b claims 2 -> x y => x: b #1, y: b #2`,
  ],
});

race("gates and claims in stricter transactions", {
  world: singleTasks("x", "y"),
  permutations: [
    `a begins repeatable read, a looks -> 0, o limits 1, a claims 2 -> error 40001, a rolls back, a claims 2 -> x
      => x: a #1, y: pending`,
    `a begins repeatable read, a looks -> 0, o pauses -> 0, a claims 2 -> error 40001, a rolls back, a claims 2 -> none
      => x: pending, y: pending`,
    `o limits 1, a begins repeatable read, a looks -> 0, b claims 2 -> x, b settles x succeeded -> settled 1,
      a claims 2 -> error 40001, a rolls back => x: completed #1, y: pending`,
    `o limits 1, b claims 2 -> x, b settles x succeeded -> settled 1, a begins repeatable read, a looks -> 0,
      b claims 2 -> y, a claims 2 -> error 40001, a rolls back => x: completed #1, y: b #1`,
    `o paces 2, a begins repeatable read, a looks -> 0, b claims 1 -> x, a claims 2 -> error 40001, a rolls back
      => x: b #1, y: pending`,
  ],
});
