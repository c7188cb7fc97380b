import type { BenchDatabase } from "./cluster.ts";
import type { Contender } from "./contender.ts";

/** A contender with a backlog, which is made once a run: every measurement gets a copy. */
export function withBacklog(
  contender: Contender,
  load: (database: BenchDatabase) => Promise<void>,
): Contender {
  return {
    ...contender,
    async install(database) {
      await contender.install(database);
      await load(database);
      // As autovacuum leaves it: no reader has to clean up after the load.
      await database.superuser`vacuum analyze`;
      await database.superuser`checkpoint`;
    },
  };
}
