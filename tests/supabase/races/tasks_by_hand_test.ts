// People and clients that move tasks by hand, against the workers.
import { race } from "../../support/permutations.ts";
import { singleTasks, tasks } from "./task_steps.ts";

race("cancelling, and claims and leases half-way", {
  world: tasks("x", "y"),
  permutations: [
    "a begins, a claims 1 -> x, c cancels x y… -> x y, a commits, a renews -> none => x: cancelled, y: cancelled",
    "a begins, a claims 1 -> x, c cancels x y… -> x y, a rolls back => x: cancelled, y: cancelled",
    "c begins, c cancels x -> x, a claims 2 -> none, c commits, a claims 2 -> y => x: cancelled, y: a #1",
    "c begins, c cancels x -> x, a claims 2 -> none, c rolls back, a claims 2 -> x y => x: a #1, y: a #1",
    `a claims 2 -> x y, a begins, a settles x succeeded y released -> settled 2, c cancels x y… -> y, a commits
      => x: completed #1, y: cancelled`,
    `a claims 2 -> x y, c begins, c cancels x -> x, a settles x succeeded y succeeded… -> settled 1 lost x, c commits
      => x: cancelled, y: completed #1`,
    `a claims 2 -> x y, c begins, c cancels x -> x, a settles all succeeded… -> settled 2, c rolls back
      => x: completed #1, y: completed #1`,
    `a claims 2 -> x y, one hour passes, c begins, c cancels x -> x, b claims 2 -> none, c commits, b claims 2 -> y
      => x: cancelled, y: b #2`,
    `a claims 2 -> x y, one hour passes, b begins, b claims 2 -> x y, c cancels x… -> x, b commits, b renews -> y
      => x: cancelled #1, y: b #2`,
  ],
});

race("handing back all of a worker's tasks, and the worker", {
  world: singleTasks("x", "y"),
  given: "a claims 2 -> x y",
  permutations: [
    `c begins, c evicts a -> 2, a settles x succeeded… -> settled 0 lost x, c commits, b claims 1 -> x
      => x: b #1, y: pending`,
    "c begins, c evicts a -> 2, a settles x succeeded… -> settled 1, c rolls back => x: completed #1, y: a #1",
    "a begins, a settles x succeeded -> settled 1, c evicts a… -> 1, a commits => x: completed #1, y: pending",
    "c begins, c evicts a -> 2, a renews… -> none, b claims 2 -> none, c commits => x: pending, y: pending",
  ],
});

race("handing back all of a worker's leases, and cancelling what they hold", {
  world: singleTasks("x", "y"),
  given: "a claims 1 -> x, a claims 1 -> y",
  permutations: [
    "c begins, c cancels y -> y, d evicts a… -> 0, c cancels x -> x, c commits => x: cancelled, y: cancelled",
    "c begins, c cancels y -> y, d evicts a… -> 1, c commits => x: pending, y: cancelled",
    "d begins, d evicts a -> 2, c cancels y x… -> x y, d commits => x: cancelled, y: cancelled",
  ],
});

race("an update of one task, and its worker", {
  world: singleTasks("x"),
  permutations: [
    `a claims 1 -> x, a begins, a settles x succeeded -> settled 1, c marks x pending… -> 0, a commits
      => x: completed #1`,
    `a begins, a claims 1 -> x, c marks x completed… -> 1, a commits, a settles x failed -> settled 0 lost x
      => x: completed #1`,
    `a claims 1 -> x, c begins, c marks x pending -> 1, a settles x succeeded… -> settled 0 lost x, c commits,
      b claims 1 -> x => x: b #2`,
    "a claims 1 -> x, c begins, c marks x completed -> 1, d marks x failed… -> 0, c commits => x: completed #1",
  ],
});

race("resetting what looks stuck", {
  world: singleTasks("x", "y"),
  given: "a claims 1 -> x, one hour passes",
  permutations: [
    "a begins, a settles x succeeded -> settled 1, c resets… -> 0, a commits => x: completed #1, y: pending",
    "a begins, a renews -> x, c resets… -> 1, a commits, a renews -> none => x: pending #1, y: pending",
    "b begins, b claims 1 -> x, c resets… -> 0, b commits, b renews -> x => x: b #2, y: pending",
    "c begins, c resets -> 1, d resets… -> 0, c commits => x: pending #1, y: pending",
    "c begins, c resets -> 1, d resets… -> 1, c rolls back => x: pending #1, y: pending",
    `c begins, c cancels y -> y, d resets… -> 0, b claims 1 -> x, c commits, b renews -> x
      => x: b #2, y: cancelled`,
  ],
});

race("deleting a task, and its worker", {
  world: singleTasks("x", "y"),
  permutations: [
    `a claims 1 -> x, a begins, a settles x succeeded -> settled 1, c deletes x… -> 1, a commits
      => x: gone, y: pending`,
    `a claims 1 -> x, c begins, c deletes x -> 1, a settles x succeeded… -> settled 0 lost x, c commits
      => x: gone, y: pending`,
    "a begins, a claims 2 -> x y, c deletes x… -> 1, a commits, a renews -> y => x: gone, y: a #1",
    "c begins, c deletes x -> 1, a claims 2 -> y, c rolls back, a claims 2 -> x => x: a #1, y: a #1",
    "c begins, c deletes x -> 1, d deletes x… -> 0, c commits => x: gone, y: pending",
  ],
});

race("trying again, pruning, and each other", {
  world: singleTasks("x", "y"),
  given: "a claims 2 -> x y, a settles x discarded y succeeded -> settled 2, one hour passes",
  permutations: [
    "c begins, c retries x -> x, d retries x… -> none, c commits => x: pending, y: completed #1",
    "c begins, c retries x -> x, a claims 2 -> none, c commits, a claims 2 -> x => x: a #1, y: completed #1",
    "c begins, c retries x -> x, d prunes -> 1, c commits => x: pending, y: gone",
    "d begins, d prunes -> 2, c retries x… -> none, d commits => x: gone, y: gone",
    "d begins, d prunes -> 2, c retries x… -> x, d rolls back => x: pending, y: completed #1",
    `d begins, d prunes -> 2, a settles x discarded y succeeded -> settled 2, d commits,
      a settles y succeeded -> settled 0 lost y => x: gone, y: gone`,
    "d begins, d prunes -> 2, e prunes -> 0, c deletes x… -> 0, d commits => x: gone, y: gone",
  ],
});
