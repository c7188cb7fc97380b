import { endProcess } from "../end_process.ts";
import type { Fault } from "../fault.ts";

/** The functions are gone until the stack has started them again. */
export const killFunctions: Fault = {
  name: "kill_functions",
  percent: 2,
  inject: ({ stack }) => endProcess(stack, "functions", "SIGKILL"),
};
