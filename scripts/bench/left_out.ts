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
  const wanted = cells.flatMap(({ contenders }) => contenders);
  const reasons = new Map<string, string | null | undefined>();
  for (const { name, missing } of wanted) {
    if (!reasons.has(name)) reasons.set(name, await missing?.(cluster));
  }
  const measurable = cells.map((cell) => ({
    ...cell,
    contenders: cell.contenders.filter(({ name }) => !reasons.get(name)),
  }));
  const leftOut = [...reasons].flatMap(([contender, reason]) =>
    reason ? [{ contender, reason }] : []
  );
  return { cells: measurable.filter(({ contenders }) => contenders.length > 0), leftOut };
}
