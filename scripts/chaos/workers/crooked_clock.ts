const HOUR_MS = 3_600_000;

/** Sets this process's wall clock wrong by so much, and has it jump from an hour early to an hour late. */
export function crookClock(offMs: number): void {
  const { now } = Date;
  let off = offMs;
  class CrookedDate extends Date {
    constructor(...given: unknown[]) {
      super(...(given.length === 0 ? [now() + off] : given) as [number]);
    }

    static override now(): number {
      return now() + off;
    }
  }
  globalThis.Date = CrookedDate as DateConstructor;
  Deno.addSignalListener("SIGURG", () => off = off > 0 ? -HOUR_MS : HOUR_MS);
}
