// Clients that write the table of claims themselves, as many did before there was Dibs.
import { race } from "../../support/permutations.ts";
import { thoughts } from "./thought_steps.ts";

race("a claim inserted by hand, and a claim call", {
  world: thoughts("x", "y"),
  permutations: [
    "c begins, c inserts x -> 1, a claims x y… -> y, c commits => x: c #1, y: a #1",
    "c begins, c inserts x -> 1, a claims x y… -> x y, c rolls back => x: a #1, y: a #1",
    `c begins, c inserts x -> 1, a claims x y… -> x y, one hour passes, c rolls back, b claims x y -> none
      => x: a #1, y: a #1`,
    `c begins, c inserts x -> 1, a fetches 2… -> x y, one hour passes, c rolls back, b claims x y -> none
      => x: a #1, y: a #1`,
    "a begins, a claims x -> x, c inserts x y… -> 1, a commits => x: a #1, y: c #1",
    "a begins, a claims x -> x, c inserts x y… -> 2, a rolls back => x: c #1, y: c #1",
  ],
});

race("a claim deleted by hand, and its holder", {
  world: thoughts("x"),
  given: "a claims x -> x",
  permutations: [
    "c begins, c clears x -> 1, a settles x succeeded… -> settled 0 lost x, c commits => x: free",
    "c begins, c clears x -> 1, a settles x succeeded… -> settled 1, c rolls back => x: succeeded #1",
    "c begins, c clears x -> 1, b claims x -> none, a renews… -> none, c commits, b claims x -> x => x: b #1",
    "a begins, a settles x succeeded -> settled 1, c clears x… -> 1, a commits, b claims x -> x => x: b #1",
    `a settles x succeeded -> settled 1, c begins, c clears x -> 1, b claims x -> none, c commits,
      b claims x -> x => x: b #1`,
  ],
});

race("an expired claim prolonged by hand, and whoever wants it", {
  world: thoughts("x"),
  given: "a claims x -> x, one hour passes",
  permutations: [
    "a begins, a prolongs x -> 1, b claims x -> none, a commits => x: a #1",
    "b begins, b claims x -> x, a prolongs x… -> 0, b commits => x: b #2",
    "b begins, b claims x -> x, a prolongs x… -> 1, b rolls back, b claims x -> none => x: a #1",
  ],
});

race("an expired claim taken over by hand, and whoever had it", {
  world: thoughts("x"),
  given: "a claims x -> x, one hour passes",
  permutations: [
    "c begins, c usurps x -> 1, b claims x -> none, c commits => x: c #1",
    "c usurps x -> 1, a renews -> none, a settles x succeeded -> settled 0 lost x => x: c #1",
    "c begins, c usurps x -> 1, a settles x succeeded… -> settled 0 lost x, c commits => x: c #1",
    "c begins, c usurps x -> 1, a renews… -> x, c rolls back => x: a #1",
    "a begins, a renews -> x, c usurps x… -> 0, a commits => x: a #1",
    "b begins, b claims x -> x, c usurps x… -> 0, b commits => x: b #2",
  ],
});
