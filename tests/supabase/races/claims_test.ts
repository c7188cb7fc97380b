// Claims against claims: nobody waits, nobody gets what another has, nothing is lost.
import { interleavings, race } from "../../support/permutations.ts";
import { thoughts } from "./thought_steps.ts";

race("claims in opposite order", {
  world: thoughts("x", "y", "z"),
  given: "a begins, b begins",
  permutations: interleavings(
    ["a claims x y", "a claims z", "a commits"],
    ["b claims z y", "b claims x", "b commits"],
  ).map((order) => firstComeFirstServed(order)),
});

race("claims of the same thoughts, one of which is given up", {
  world: thoughts("x", "y"),
  given: "a begins, b begins",
  permutations: interleavings(
    ["a claims x y", "a rolls back"],
    ["b claims y x", "b commits"],
  ).map((order) => firstComeFirstServed(order)),
});

race("claims of the same expired thoughts", {
  world: thoughts("x", "y"),
  given: "c claims x y -> x y, one hour passes, a begins, b begins",
  permutations: interleavings(
    ["a claims x y", "a commits"],
    ["b claims y x", "b commits"],
  ).map((order) => firstComeFirstServed(order, 1)),
});

race("claims of the same expired thoughts, one of which is given up", {
  world: thoughts("x"),
  given: "c claims x -> x, one hour passes, a begins, b begins",
  permutations: interleavings(
    ["a claims x", "a rolls back"],
    ["b claims x", "b commits"],
  ).map((order) => firstComeFirstServed(order, 1)),
});

race("ids that are unknown, null or named twice beside good ones that are being claimed", {
  world: thoughts("x", "y"),
  permutations: [
    `a begins, a takes x -> x, b takes nobody x null y y x -> y, a commits
      => x: a #1, y: b #1`,
    `a begins, a takes x null nobody -> x, b takes y nobody null x -> y, a rolls back, b takes x x -> x
      => x: b #1, y: b #1`,
    `a begins, a deletes x, b takes nobody x null y y x -> y, a commits
      => x: gone, y: b #1`,
    `a begins, a deletes x, b takes nobody x null y y x -> y, a rolls back, b takes x -> x
      => x: b #1, y: b #1`,
  ],
});

race("claims of the next thoughts", {
  world: thoughts("x", "y", "z"),
  permutations: [
    `a begins, a fetches 2 -> x y, b fetches 3 -> z, a commits, b fetches 3 -> none
      => x: a #1, y: a #1, z: b #1`,
    `a begins, a fetches 2 -> x y, b fetches 3 -> z, a rolls back, b fetches 3 -> x y
      => x: b #1, y: b #1, z: b #1`,
    `a begins, a claims y -> y, b fetches 3 -> x z, a commits
      => x: b #1, y: a #1, z: b #1`,
    `a begins, a fetches 2 -> x y, b claims x y z -> z, a commits
      => x: a #1, y: a #1, z: b #1`,
  ],
});

race("claims for different kinds of work", {
  world: thoughts("x"),
  permutations: [
    "a begins, a claims x -> x, b embeds x -> x, a commits => x: a #1",
    "a begins, a claims x -> x, b embeds x -> x, a rolls back => x: free",
  ],
});

race("a claim in a transaction that began long before", {
  world: thoughts("x"),
  permutations: [
    "a begins, a reads x -> nothing, one hour passes, a claims x -> x, a commits, b claims x -> none => x: a #1",
  ],
});

race("a claim under repeatable read", {
  world: thoughts("x", "y"),
  permutations: [
    `a begins repeatable read, a claims x y -> x y, b claims x y -> none, a commits
      => x: a #1, y: a #1`,
    `a begins repeatable read, a reads x -> nothing, b claims x -> x, a claims x y -> error 40001, a rolls back,
      a claims x y -> y => x: b #1, y: a #1`,
    `b claims x -> x, one hour passes, a begins repeatable read, a reads x -> nothing, c claims x -> x,
      a claims x y -> error 40001, a rolls back, a claims x y -> y => x: c #2, y: a #1`,
  ],
});

/** Whoever asks first has a thought, committed or not, until it is given up. `before`: attempts so far. */
function firstComeFirstServed(order: string[], before = 0): string {
  const holders = new Map<string, string>();
  const named = new Set<string>();
  const trace = order.map((step) => {
    const [worker, verb, ...words] = step.split(" ");
    if (verb === "rolls") {
      for (const [thought, holder] of holders) if (holder === worker) holders.delete(thought);
    }
    if (verb !== "claims") return step;
    const won = words.filter((thought) => !holders.has(thought)).sort();
    for (const thought of words) named.add(thought);
    for (const thought of won) holders.set(thought, worker);
    return `${step} -> ${won.join(" ") || "none"}`;
  });
  const state = [...named].sort().map((thought) => {
    const holder = holders.get(thought);
    if (holder) return `${thought}: ${holder} #${before + 1}`;
    // If the one that gave up had taken it away from a third, that is undone with it.
    return before > 0 ? `${thought}: c #${before}` : `${thought}: free`;
  });
  return `${trace.join(", ")} => ${state.join(", ")}`;
}
