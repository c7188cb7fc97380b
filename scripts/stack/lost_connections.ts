/**
 * Keeps this process alive when PostgreSQL stops: its driver then writes to connections that are gone,
 * from timers of its own, where nobody can catch the error. The call concerned never settles.
 */
export function surviveLostConnections(): void {
  addEventListener("error", (event) => {
    if (event.error?.stack?.includes("node_modules/postgres/")) event.preventDefault();
  });
}
