/** Every shape that crosses a boundary: requests, responses, arguments and results of SQL functions. */
export * from "./schemas/values.ts";
export * from "./schemas/tasks.ts";
export * from "./schemas/thoughts.ts";
export * from "./schemas/rows.ts";
export * from "./schemas/leases.ts";
export * from "./schemas/drains.ts";
export * from "./schemas/status.ts";
export * from "./schemas/errors.ts";
export * from "./schemas/functions.ts";
