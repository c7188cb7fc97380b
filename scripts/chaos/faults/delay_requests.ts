import type { Fault } from "../fault.ts";

/** Everything takes longer. */
export const delayRequests: Fault = {
  name: "delay_requests",
  weight: 1,
  inject: ({ proxy }, random) =>
    proxy.disturb("delay", { share: 0.7, ms: random.between(1000, 3000) }),
};
