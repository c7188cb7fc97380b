import type { Fault } from "../fault.ts";

/** Connections break before what was sent arrives. */
export const dropRequests: Fault = {
  name: "drop_requests",
  percent: 3,
  inject: ({ weather }, random) =>
    weather.disturb("drop", { share: 0.5, ms: random.between(300, 1200) }),
};
