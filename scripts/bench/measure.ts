import type { BenchCluster } from "./cluster.ts";
import type { Cell, Figures } from "./workload.ts";

/** What one contender did in one cell of one repeat. */
export interface Result {
  repeat: number;
  workload: string;
  cell: string;
  contender: string;
  figures: Figures;
  /** After how many seconds each twentieth of it was done, where that was kept. */
  course?: number[];
}

/**
 * Measures every cell for each of its contenders, `repeats` times. Within a repeat the contenders
 * of a cell come right after each other, so that a ratio of two compares the same moment of the
 * machine; who begins moves on with the repeat.
 */
export async function measureAll(
  cluster: BenchCluster,
  cells: Cell[],
  repeats: number,
  onProgress: (step: string) => void,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const cell of cells) {
      for (const contender of rotate(cell.contenders, repeat)) {
        const step = `${cell.workload} ${cell.name}, ${contender.name}`;
        onProgress(step);
        await using database = await cluster.databaseFor(contender);
        const { workload, name } = cell;
        const kept: Pick<Result, "course"> = {};
        const keepCourse = (course: number[]) => kept.course = course;
        const figures = await cell.measure(contender, database, keepCourse).catch((error) => {
          throw new Error(`${step}: ${error.message}`, { cause: error });
        });
        results.push({ repeat, workload, cell: name, contender: contender.name, figures, ...kept });
      }
    }
  }
  return results;
}

function rotate<Item>(items: Item[], by: number): Item[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

/** How many steps {@link measureAll} takes. */
export function countSteps(cells: Cell[], repeats: number): number {
  return repeats * cells.reduce((steps, { contenders }) => steps + contenders.length, 0);
}
