import type { Result } from "./measure.ts";
import type { Cell } from "./workload.ts";

/** The median over the repeats, and how far they spread. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** A contender in a cell, over all repeats. */
export interface Line {
  workload: string;
  cell: string;
  contender: string;
  figures: Record<string, Spread>;
}

/** Those the others are measured against. */
const BASES = ["guide", "limit"];

/** The medians of every contender in every cell, with its ratios to the bases. */
export function summarise(cells: Cell[], results: Result[]): Line[] {
  return cells.flatMap((cell) =>
    cell.contenders.map(({ name }) => {
      const own = results.filter((result) => isOf(result, cell, cell.name, name));
      const figures = Object.fromEntries(
        Object.keys(own[0].figures).map((figure) => [
          figure,
          spread(own.map(({ figures }) => figures[figure])),
        ]),
      );
      for (const base of BASES) {
        const ratios = own.flatMap((result) => ratioTo(base, cell, result, results));
        if (ratios.length > 0) figures[`against_${base}`] = spread(ratios);
      }
      return { workload: cell.workload, cell: cell.name, contender: name, figures };
    })
  );
}

/** The ratio of the rates within one repeat. A base that cannot batch counts as it is one by one. */
function ratioTo(base: string, cell: Cell, result: Result, results: Result[]): number[] {
  const inRepeat = results.filter(({ repeat }) => repeat === result.repeat);
  const other = inRepeat.find((other) => isOf(other, cell, cell.name, base)) ??
    inRepeat.find((other) => isOf(other, cell, cell.oneByOne, base));
  return other ? [result.figures.tasks_per_second / other.figures.tasks_per_second] : [];
}

function isOf(result: Result, { workload }: Cell, cell: string | undefined, contender: string) {
  return result.workload === workload && result.cell === cell && result.contender === contender;
}

function spread(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}
