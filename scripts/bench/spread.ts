/** The median over the repeats, and how far they spread. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** The spread of what was measured, at least once. */
export function spread(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}
