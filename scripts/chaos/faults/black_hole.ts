import type { Fault } from "../fault.ts";

/** Connections stay open, and nothing ever comes of what is sent. */
export const blackHole: Fault = {
  name: "black_hole",
  weight: 1,
  inject: ({ proxy }, random) =>
    proxy.disturb("swallow", { share: 0.3, ms: random.between(500, 2000) }),
};
