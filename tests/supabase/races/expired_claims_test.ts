// Claims that have run out: whoever takes them away against whoever had them.
import { race } from "../../support/permutations.ts";
import { thoughts } from "./thought_steps.ts";

const expired = { world: thoughts("x"), given: "a claims x -> x, one hour passes" };

race("a heartbeat in the last moment, and whoever wants the claim", {
  ...expired,
  permutations: [
    "a begins, a renews -> x, b claims x -> none, a commits => x: a #1",
    "a begins, a renews -> x, b claims x -> none, a rolls back, b claims x -> x => x: b #2",
    "b begins, b claims x -> x, a renews… -> none, b commits => x: b #2",
    "b begins, b claims x -> x, a renews… -> x, b rolls back => x: a #1",
    "b begins, b reaps, a renews… -> none, b commits => x: free #1",
    "b begins, b reaps, a renews… -> x, b rolls back => x: a #1",
  ],
});

race("a worker that ends in the last moment, and whoever wants the claim", {
  ...expired,
  permutations: [
    "a begins, a settles x succeeded -> settled 1, b claims x -> none, a commits => x: succeeded #1",
    "a begins, a settles x succeeded -> settled 1, b claims x -> none, a rolls back, b claims x -> x => x: b #2",
    "b begins, b claims x -> x, a settles x succeeded… -> settled 0 lost x, b commits => x: b #2",
    "b begins, b claims x -> x, a settles x succeeded… -> settled 1, b rolls back => x: succeeded #1",
    "b begins, b claims x -> x, a settles all released… -> settled 0, b commits => x: b #2",
    "a begins, a settles all released -> settled 1, b claims x -> none, a commits, b claims x -> x => x: b #1",
  ],
});

race("a worker that ends by its name in the last moment, and whoever wants the claim", {
  ...expired,
  permutations: [
    "a begins, a releases x succeeded -> yes, b claims x -> none, a commits => x: succeeded #1",
    "b begins, b claims x -> x, a releases x succeeded… -> no, b commits => x: b #2",
    "b begins, b claims x -> x, a releases x succeeded… -> yes, b rolls back => x: succeeded #1",
    "b begins, b claims x -> x, a releases all… -> 0, b commits => x: b #2",
    "b claims x -> x, b begins, b renews -> x, a releases x succeeded -> no, a releases all -> 0, b commits => x: b #2",
  ],
});

race("a worker that comes back after its claim was taken over", {
  world: thoughts("x"),
  given: "a claims x -> x, one hour passes, b begins, b claims x -> x, b commits",
  permutations: [
    "a settles x succeeded -> settled 0 lost x, b renews -> x => x: b #2",
    "a settles x failed -> settled 0 lost x, b renews -> x => x: b #2",
    "a settles x released -> settled 0 lost x, b renews -> x => x: b #2",
    "a settles all succeeded -> settled 0, b renews -> x => x: b #2",
    "a settles all released -> settled 0, b renews -> x => x: b #2",
    "a notes x -> settled 0 lost x, c reads x -> nothing => x: b #2",
    "a renews -> none, b renews -> x => x: b #2",
    "b begins, b settles x failed -> settled 1, a settles x succeeded -> settled 0 lost x, b commits => x: failed #2",
  ],
});

race("a worker that comes back after its claim was taken over by one of the same name", {
  world: thoughts("x"),
  given: "a claims x -> x, one hour passes, a' claims x -> x",
  permutations: [
    "a settles x succeeded -> settled 0 lost x, a' renews -> x => x: a #2",
    "a settles all released -> settled 0, a' renews -> x => x: a #2",
    "a renews -> none, a' renews -> x => x: a #2",
    "a' begins, a' renews -> x, a settles x failed -> settled 0 lost x, a' commits => x: a #2",
  ],
});

race("two who take back what expired", {
  ...expired,
  permutations: [
    "b begins, b reaps, c reaps, b commits, c claims x -> x => x: c #2",
    "b begins, b reaps, c claims x -> none, b rolls back, c claims x -> x => x: c #2",
    "b begins, b reaps, c fetches 1 -> none, b commits, c claims x -> x => x: c #2",
  ],
});

race("expired claims of which somebody takes some", {
  world: thoughts("x", "y", "z"),
  given: "c claims x y z -> x y z, one hour passes",
  permutations: [
    `a begins, a claims y -> y, b claims z y x -> none, a commits, b claims z y x -> x z
      => x: b #2, y: a #2, z: b #2`,
    `c begins, c renews -> x y z, a claims y -> none, c rolls back, a claims y -> y, b claims z y x -> x z
      => x: b #2, y: a #2, z: b #2`,
  ],
});

race("an expired claim, and the deletion of its thought", {
  world: thoughts("x", "y"),
  given: "a claims x y -> x y, one hour passes",
  permutations: [
    "c begins, c deletes x, b claims x y -> y, c commits => x: gone, y: b #2",
    "c begins, c locks x, b claims x y -> y, c deletes x, c commits => x: gone, y: b #2",
    "c begins, c deletes x, b claims x y -> y, c rolls back, b claims x y -> x => x: b #2, y: b #2",
    "b begins, b claims x y -> x y, c deletes x…, b commits => x: gone, y: b #2",
    "b begins, b reaps, c deletes x…, b rolls back => x: gone, y: a #1",
  ],
});
