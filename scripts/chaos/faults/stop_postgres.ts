import { endProcess } from "../end_process.ts";
import type { Fault } from "../fault.ts";

/** PostgreSQL stops without a word to anybody, and recovers from its log. */
export const stopPostgres: Fault = {
  name: "stop_postgres",
  percent: 2,
  inject: ({ stack }) => endProcess(stack, "postgres", "SIGQUIT"),
};
