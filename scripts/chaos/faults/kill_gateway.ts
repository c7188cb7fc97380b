import { endProcess } from "../end_process.ts";
import type { Fault } from "../fault.ts";

/** The data API is gone until the stack has started it again. */
export const killGateway: Fault = {
  name: "kill_gateway",
  percent: 2,
  inject: ({ stack }) => endProcess(stack, "gateway", "SIGKILL"),
};
