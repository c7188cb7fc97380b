import type { BenchDatabase } from "./cluster.ts";

/** Holds a snapshot open, so that no vacuum may clean up what ends from now on. */
export async function holdSnapshot(database: BenchDatabase): Promise<AsyncDisposable> {
  const holder = database.connect();
  await holder.unsafe("begin isolation level repeatable read; select 1");
  return { [Symbol.asyncDispose]: () => holder.end() };
}
