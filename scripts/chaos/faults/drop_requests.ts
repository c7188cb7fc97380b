import type { Fault } from "../fault.ts";

/** Connections break before what was sent arrives. */
export const dropRequests: Fault = {
  name: "drop_requests",
  weight: 2,
  inject: ({ proxy }, random) =>
    proxy.disturb("drop", { share: 0.5, ms: random.between(500, 2500) }),
};
