import type { BenchDatabase } from "./cluster.ts";
import type { Contender } from "./contender.ts";
import type { Cell } from "./workload.ts";

type Load = (contender: Contender, database: BenchDatabase) => Promise<void>;

/**
 * The cell with a backlog in every database. A small one is made each time; a large one is made
 * once a run, and every measurement gets a copy.
 */
export function withBacklog(small: boolean, load: Load, cell: Cell): Cell {
  if (small) {
    return {
      ...cell,
      async measure(contender, database, keepCourse) {
        await loadAndTidy(contender, database, load);
        return await cell.measure(contender, database, keepCourse);
      },
    };
  }
  return {
    ...cell,
    contenders: cell.contenders.map((contender) => ({
      ...contender,
      async install(database) {
        await contender.install(database);
        await loadAndTidy(contender, database, load);
      },
    })),
    async measure(contender, database, keepCourse) {
      // A copy is not to be written while claims are timed.
      await database.superuser`checkpoint`;
      return await cell.measure(contender, database, keepCourse);
    },
  };
}

/** As autovacuum leaves it: no reader has to clean up after the load. */
async function loadAndTidy(contender: Contender, database: BenchDatabase, load: Load) {
  await load(contender, database);
  await database.superuser`vacuum analyze`;
  await database.superuser`checkpoint`;
}
