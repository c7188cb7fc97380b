import type { Log } from "./log.ts";

let guarded = false;

/** What a handler leaves behind, a rejected promise or a timer that throws, must not end the others. */
export function surviveStrayErrors(log: Log): void {
  if (guarded) return;
  guarded = true;
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error("stray_rejection", { error: nameOf(event.reason) });
  });
  addEventListener("error", (event) => {
    event.preventDefault();
    log.error("stray_error", { error: nameOf(event.error) });
  });
}

/** Its message may hold content. */
function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : typeof thrown;
}
