import type { Fault } from "../fault.ts";

/** The call is made, and its answer never arrives. */
export const loseReplies: Fault = {
  name: "lose_replies",
  percent: 4,
  inject: ({ weather }, random) =>
    weather.disturb("lose_reply", { share: 0.4, ms: random.between(300, 1200) }),
};
