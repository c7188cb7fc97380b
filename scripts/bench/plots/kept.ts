import type { Evidence } from "../evidence.ts";
import type { Result } from "../measure.ts";
import type { Spread } from "../spread.ts";
import type { Line } from "../summary.ts";

/** Looks things up in what is kept, and says how to make what is not there. */
export class Kept {
  /** `mend` is the command that keeps what is looked for in that file. */
  constructor(
    private readonly evidence: Evidence,
    private readonly file: string,
    private readonly mend: string,
  ) {}

  /** Those who took part in a cell, in the order of the bench. */
  contenders(workload: string, cell: string): string[] {
    const names = this.lines(workload).filter((line) => line.cell === cell)
      .map(({ contender }) => contender);
    return names.length > 0 ? names : this.#isMissing(`${workload} ${cell}`);
  }

  /** The lines of a workload. */
  lines(workload: string): Line[] {
    const lines = this.evidence.summary.filter((line) => line.workload === workload);
    return lines.length > 0 ? lines : this.#isMissing(workload);
  }

  /** A figure over all repeats. */
  spread(workload: string, cell: string, contender: string, figure: string): Spread {
    const line = this.evidence.summary.find((line) =>
      line.workload === workload && line.cell === cell && line.contender === contender
    );
    return line?.figures[figure] ??
      this.#isMissing(`${figure} of ${workload} ${cell}, ${contender}`);
  }

  /** What each repeat gave. */
  results(workload: string, cell: string, contender: string): Result[] {
    const results = this.evidence.results.filter((result) =>
      result.workload === workload && result.cell === cell && result.contender === contender
    );
    return results.length > 0 ? results : this.#isMissing(`${workload} ${cell}, ${contender}`);
  }

  /** The course of each repeat. */
  courses(workload: string, cell: string, contender: string): number[][] {
    const results = this.results(workload, cell, contender);
    return results.map(({ course }) =>
      course ?? this.#isMissing(`course of ${workload} ${cell}, ${contender}`)
    );
  }

  #isMissing(what: string): never {
    throw new Error(`${this.file} has no ${what}. This makes it: ${this.mend}`);
  }
}
