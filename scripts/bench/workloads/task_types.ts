import { Books } from "../books.ts";
import type { BenchDatabase } from "../cluster.ts";
import { dibs } from "../contenders/dibs.ts";
import type { Contender } from "../contender.ts";
import { measureDrain } from "../drained.ts";
import { type Cell, enqueueAll, type Figures, newTask, type Scale } from "../workload.ts";

const HOW = { workers: 4, batch: 100 };
const MANY = 1_000;

/** Draining tasks of one type, of ten and of a thousand, mixed; and one type among a thousand. */
export function typesCells({ quick, tasks = quick ? 4_000 : 40_000 }: Scale): Cell[] {
  const cell = { workload: "types", contenders: [dibs] };
  return [
    ...[1, 10, MANY].map((types) => ({
      ...cell,
      name: types === 1 ? "1 type" : `${types.toLocaleString("en")} types`,
      async measure(contender: Contender, database: BenchDatabase) {
        const drain = { ...HOW, tasks, make: (n: number) => newTaskOf(`type-${n % types}`, n) };
        return (await measureDrain(contender, database, drain)).figures;
      },
    })),
    {
      ...cell,
      name: `1 named of ${MANY.toLocaleString("en")}`,
      measure: (contender, database) => measureNamed(contender, database, tasks),
    },
  ];
}

/** Half of what is enqueued is of the type that is named, the rest of all the others. */
async function measureNamed(
  contender: Contender,
  database: BenchDatabase,
  tasks: number,
): Promise<Figures> {
  const queue = await contender.open(database);
  await enqueueAll(queue, tasks, (n) => newTaskOf(`type-${1 + n % (MANY - 1)}`, n));
  await enqueueAll(queue, tasks, (n) => newTaskOf("type-0", n));
  await database.superuser`analyze`;
  const books = new Books(tasks);
  await queue.drain({
    ...HOW,
    types: ["type-0"],
    execute: books.execute,
    signal: books.signal,
    onCall: books.onCall,
  });
  books.end();
  books.check(await queue.left() - tasks);
  await queue[Symbol.asyncDispose]();
  return books.figures();
}

function newTaskOf(type: string, n: number) {
  return { ...newTask(n), type };
}
