// One grant of thoughts, and several who say how it ends.
import { race } from "../../support/permutations.ts";
import { thoughts } from "./thought_steps.ts";

race("two outcomes for one grant", {
  world: thoughts("x", "y"),
  given: "a claims x y -> x y",
  permutations: [
    `a begins, a settles x succeeded -> settled 1, a2 settles x failed… -> settled 0 lost x, a commits
      => x: succeeded #1, y: a #1`,
    `a begins, a settles x succeeded -> settled 1, a2 settles x failed… -> settled 1, a rolls back
      => x: failed #1, y: a #1`,
    `a begins, a settles x released -> settled 1, a2 settles x succeeded… -> settled 0 lost x, a commits
      => x: free, y: a #1`,
    `a begins, a settles x failed -> settled 1, a2 settles x succeeded y succeeded… -> settled 1 lost x, a commits
      => x: failed #1, y: succeeded #1`,
    `a begins, a settles x succeeded -> settled 1, a2 settles all released… -> settled 1, a commits
      => x: succeeded #1, y: free`,
    `a begins, a settles x succeeded -> settled 1, a2 settles x succeeded… -> settled 1, a commits
      => x: succeeded #1, y: a #1`,
  ],
});

race("a heartbeat under way, and the end of the work", {
  world: thoughts("x"),
  given: "a claims x -> x",
  permutations: [
    "a begins, a renews -> x, a2 settles x succeeded… -> settled 1, a commits => x: succeeded #1",
    "a begins, a renews -> x, a2 releases x succeeded… -> yes, a commits => x: succeeded #1",
    "a begins, a settles x succeeded -> settled 1, a2 renews… -> none, a commits => x: succeeded #1",
    `a begins, a settles x succeeded -> settled 1, a2 renews… -> x, one hour passes, a rolls back, b claims x -> none
      => x: a #1`,
  ],
});

race("handing back all of a worker, and the end of its work", {
  world: thoughts("x", "y"),
  given: "a claims x y -> x y",
  permutations: [
    `a begins, a settles x succeeded -> settled 1, a2 releases all… -> 1, a commits
      => x: succeeded #1, y: free`,
    `a2 begins, a2 releases all -> 2, a settles x succeeded… -> settled 0 lost x, a2 commits, b claims x y -> x y
      => x: b #1, y: b #1`,
    `a2 begins, a2 releases all -> 2, b claims x y -> none, a settles x succeeded… -> settled 1, a2 rolls back
      => x: succeeded #1, y: a #1`,
    `a begins, a renews -> x y, a2 releases all… -> 2, a commits
      => x: free, y: free`,
  ],
});

race("an open claim, and its thought", {
  world: thoughts("x"),
  permutations: [
    "a begins, a claims x -> x, c edits x, c deletes x…, a commits => x: gone",
    "a begins, a claims x -> x, c deletes x…, a edits x, a commits => x: gone",
    "a begins, a claims x -> x, c deletes x…, a notes x -> settled 1, a commits => x: gone",
    "a claims x -> x, a begins, a edits x, c deletes x…, a settles x succeeded -> settled 1, a commits => x: gone",
    `c begins, c edits x, a claims x -> x, c commits, a notes x -> settled 1, c reads x -> edited noted
      => x: succeeded #1`,
  ],
});

race("an outcome that changes the thought, and whoever else changes it", {
  world: thoughts("x", "y"),
  given: "a claims x y -> x y",
  permutations: [
    `c begins, c edits x, a notes x… -> settled 1, c commits, c reads x -> edited noted
      => x: succeeded #1, y: a #1`,
    `a begins, a notes x -> settled 1, c edits x…, a commits, c reads x -> edited noted
      => x: succeeded #1, y: a #1`,
    `c begins, c deletes x, a notes x… -> settled 0 lost x, c commits, a notes y -> settled 1
      => x: gone, y: succeeded #1`,
    `c begins, c deletes x, a notes x… -> settled 1, c rolls back
      => x: succeeded #1, y: a #1`,
    `a begins, a notes x -> settled 1, c deletes x…, a commits
      => x: gone, y: a #1`,
    `c begins, c locks x, a notes x… -> settled 0 lost x, c deletes x, c commits
      => x: gone, y: a #1`,
    `c begins, c locks x, a settles x succeeded -> settled 1, c deletes x, c commits
      => x: gone, y: a #1`,
    `c begins, c deletes x, a settles x succeeded y succeeded… -> settled 1 lost x, c commits
      => x: gone, y: succeeded #1`,
  ],
});

race("settling and claiming the next in one call that had to wait", {
  world: thoughts("x", "y"),
  given: "a claims x -> x",
  permutations: [
    `a2 begins, a2 renews -> x, a swaps 2… -> settled 1 got y, one hour passes, a2 commits, b claims x y -> none
      => x: succeeded #1, y: a #1`,
    `a2 begins, a2 settles x failed -> settled 1, a swaps 2… -> settled 0 got y, a2 commits
      => x: failed #1, y: a #1`,
    `b begins, b claims y -> y, a swaps 2 -> settled 1 got none, b rolls back, a claims y -> y
      => x: succeeded #1, y: a #1`,
  ],
});
