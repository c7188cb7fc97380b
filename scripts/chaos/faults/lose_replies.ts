import type { Fault } from "../fault.ts";

/** The call is made, and its answer never arrives. */
export const loseReplies: Fault = {
  name: "lose_replies",
  weight: 3,
  inject: ({ proxy }, random) =>
    proxy.disturb("lose_reply", { share: 0.4, ms: random.between(500, 2500) }),
};
