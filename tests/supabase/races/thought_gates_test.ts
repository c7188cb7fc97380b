// Claims under a limit against each other, and against whoever sets it.
import { race } from "../../support/permutations.ts";
import { thoughts } from "./thought_steps.ts";

race("claims under a limit of one", {
  world: thoughts("x", "y"),
  given: "o limits 1",
  permutations: [
    `a begins, a claims x y -> x, b claims x y -> none, a commits, b claims y -> none => x: a #1, y: free`,
    `a begins, a fetches 2 -> x, b fetches 2 -> none, a rolls back, b fetches 1 -> x => x: b #1, y: free`,
    `a begins, a claims x -> x, b takes y -> none, a commits, b takes y -> none => x: a #1, y: free`,
    `a claims x -> x, a begins, a settles x succeeded -> settled 1, b claims y -> none, a commits, b claims y -> y
      => x: succeeded #1, y: b #1`,
    `a claims x -> x, a begins, a swaps 2 -> settled 1 got y, b claims y -> none, a commits, b fetches 2 -> none
      => x: succeeded #1, y: a #1`,
    `a claims x -> x, one hour passes, b claims y -> y => x: free #1, y: b #1`,
  ],
});

race("gates that are set while thoughts are being claimed", {
  world: thoughts("x", "y"),
  permutations: [
    `a begins, a claims x -> x, o limits 1…, a commits, b claims y -> none => x: a #1, y: free`,
    `o begins, o limits 1, a claims x y… -> x, o commits => x: a #1, y: free`,
    `o begins, o limits 1, a claims x y… -> x y, o rolls back => x: a #1, y: a #1`,
    `o begins, o pauses -> 0, a fetches 2… -> none, o commits, a claims x -> none, o resumes, a claims x -> x
      => x: a #1, y: free`,
    `a begins, a claims x -> x, o pauses… -> 1, a commits, a settles x succeeded -> settled 1, o pauses -> 0
      => x: succeeded #1, y: free`,
  ],
});

race("gates and claims in stricter transactions", {
  world: thoughts("x", "y"),
  permutations: [
    `a begins repeatable read, a reads x -> nothing, o limits 1, a claims x y -> error 40001, a rolls back,
      a claims x y -> x => x: a #1, y: free`,
    `o limits 1, a begins repeatable read, a reads x -> nothing, b claims x -> x, a claims y -> error 40001,
      a rolls back, a claims y -> none => x: b #1, y: free`,
  ],
});
