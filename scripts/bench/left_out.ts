import type { BenchCluster } from "./cluster.ts";
import type { Cell } from "./workload.ts";

/** Somebody who could have been measured, had it been there. */
export interface LeftOut {
  contender: string;
  reason: string;
}

/** The cells with those who can be measured on this cluster, and who cannot. */
export async function leaveOut(
  cluster: BenchCluster,
  cells: Cell[],
): Promise<{ cells: Cell[]; leftOut: LeftOut[] }> {
  const wanted = new Set(cells.flatMap(({ contenders }) => contenders));
  const leftOut: LeftOut[] = [];
  for (const { name, missing } of wanted) {
    const reason = await missing?.(cluster);
    if (reason) leftOut.push({ contender: name, reason });
  }
  const names = new Set(leftOut.map(({ contender }) => contender));
  const measurable = cells.map((cell) => ({
    ...cell,
    contenders: cell.contenders.filter(({ name }) => !names.has(name)),
  }));
  return { cells: measurable.filter(({ contenders }) => contenders.length > 0), leftOut };
}
