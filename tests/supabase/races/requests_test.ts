// Calls whose answer was lost, made again under their request id while others are at the same things.
import { race } from "../../support/permutations.ts";
import { singleTasks } from "./task_steps.ts";
import { thoughts } from "./thought_steps.ts";

race("a claim of thoughts asked for again", {
  world: thoughts("x", "y"),
  permutations: [
    "a begins, a claims x by request -> x, a2 claims x by request… -> x, a commits => x: a #1, y: free",
    // Not asked for while the first call is still open: PostgreSQL lets go of the locks of a transaction one by one,
    // so whoever waited for the request may find the thought itself still locked, and is told to come again.
    "a begins, a claims x by request -> x, a rolls back, a2 claims x by request -> x => x: a #1, y: free",
    `a begins, a fetches 1 by request -> x, b fetches 2 -> y, a commits, a2 fetches 1 by request -> x
      => x: a #1, y: b #1`,
    `a claims x by request -> x, one hour passes, b begins, b claims x y -> x y, a2 claims x by request -> x, b commits,
      a2 claims x by request -> none => x: b #2, y: b #1`,
    `b begins, b claims x -> x, a claims x by request -> none, b rolls back, a claims x by request -> none
      => x: free, y: free`,
  ],
});

race("thoughts settled and claimed by a call that is made again", {
  world: thoughts("x", "y", "z"),
  given: "a claims x -> x",
  permutations: [
    `a begins, a swaps 1 by request -> settled 1 got y, a2 swaps 1 by request… -> settled 1 got y, a commits
      => x: succeeded #1, y: a #1, z: free`,
    `a begins, a swaps 1 by request -> settled 1 got y, b claims z -> z, a rolls back, a2 swaps 1 by request
      -> settled 1 got y => x: succeeded #1, y: a #1, z: b #1`,
  ],
});

race("a claim of tasks asked for again", {
  world: singleTasks("x", "y", "z"),
  permutations: [
    `a begins, a claims 2 by request -> x y, a2 claims 2 by request… -> x y, b claims 2 -> z, a commits
      => x: a #1, y: a #1, z: b #1`,
    `a begins, a claims 2 by request -> x y, a2 claims 2 by request… -> x y, b claims 2 -> z, a rolls back
      => x: a #1, y: a #1, z: b #1`,
    `a claims 1 by request -> x, one hour passes, b begins, b claims 1 -> x, a2 claims 1 by request -> x, b commits,
      a2 claims 1 by request -> none => x: b #2, y: pending, z: pending`,
    `a claims 2 by request -> x y, c begins, c cancels x -> x, a2 claims 2 by request -> x y, c commits,
      a2 claims 2 by request -> y => x: cancelled, y: a #1, z: pending`,
  ],
});

race("a settlement of tasks said again", {
  world: singleTasks("x", "y"),
  given: "a claims 1 -> x",
  permutations: [
    `a begins, a settles x released by request -> settled 1, a2 settles x released by request… -> settled 1,
      a commits, b claims 1 -> x => x: b #1, y: pending`,
    `a settles x released by request -> settled 1, b begins, b claims 1 -> x, a2 settles x released by request
      -> settled 1, b commits => x: b #1, y: pending`,
    `a begins, a swaps 1 by request -> settled 1 got y, a2 swaps 1 by request… -> settled 1 got y, a commits
      => x: completed #1, y: a #1`,
    `a begins, a swaps 1 by request -> settled 1 got y, a2 swaps 1 by request… -> settled 1 got y, a rolls back
      => x: completed #1, y: a #1`,
  ],
});
