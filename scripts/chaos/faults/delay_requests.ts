import type { Fault } from "../fault.ts";

/** Everything takes longer. */
export const delayRequests: Fault = {
  name: "delay_requests",
  percent: 2,
  inject: ({ weather }, random) =>
    weather.disturb("delay", { share: 0.7, ms: random.between(500, 1500) }),
};
