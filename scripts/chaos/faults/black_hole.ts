import type { Fault } from "../fault.ts";

/** Connections stay open, and nothing ever comes of what is sent. */
export const blackHole: Fault = {
  name: "black_hole",
  percent: 2,
  inject: ({ weather }, random) =>
    weather.disturb("swallow", { share: 0.3, ms: random.between(300, 1000) }),
};
