import type { Result } from "./measure.ts";
import { type Spread, spread } from "./spread.ts";
import type { Cell } from "./workload.ts";

/** A contender in a cell, over all repeats. */
export interface Line {
  workload: string;
  cell: string;
  contender: string;
  figures: Record<string, Spread>;
}

/** Those the others are measured against. */
const BASES = ["guide", "limit", "pgmq", "dibs_no_limit"];

/** The medians of every contender in every cell, with its ratios to the bases. */
export function summarise(cells: Cell[], results: Result[]): Line[] {
  return cells.flatMap((cell) =>
    cell.contenders.map(({ name }) => {
      const own = results.filter((result) => isOf(result, cell, cell.name, name));
      const figures: Line["figures"] = {};
      for (const figure of new Set(own.flatMap(({ figures }) => Object.keys(figures)))) {
        // One that was cut off in some repeat has fewer figures there.
        const values = own.map(({ figures }) => figures[figure]);
        figures[figure] = spread(values.filter((value) => value !== undefined));
      }
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
  const [rate, otherRate] = [result, other].map((each) => each?.figures.tasks_per_second);
  return rate && otherRate ? [rate / otherRate] : [];
}

function isOf(result: Result, { workload }: Cell, cell: string | undefined, contender: string) {
  return result.workload === workload && result.cell === cell && result.contender === contender;
}
