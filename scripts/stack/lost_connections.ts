/**
 * Keeps this process alive when PostgreSQL stops: its driver then writes to connections that are gone
 * from timers of its own, and reads what types there are in a promise of its own, where nobody can
 * catch the error. The call concerned never settles.
 */
export function surviveLostConnections(): void {
  addEventListener("error", (event) => {
    if (event.error?.stack?.includes("node_modules/postgres/")) event.preventDefault();
  });
  addEventListener("unhandledrejection", (event) => {
    if (LOST.includes(event.reason?.code)) event.preventDefault();
  });
}

const LOST = ["ECONNRESET", "EPIPE", "CONNECTION_CLOSED", "CONNECTION_DESTROYED"];
