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
    if (LOST.test(event.reason?.code)) event.preventDefault();
  });
}

/** What the driver calls it, or a server that is going down, coming up, or full. */
const LOST = /^(ECONN|EPIPE|CONNECT|08|53|57P)/;
