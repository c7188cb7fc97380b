/** How many series a metric may have by type, or by kind of work. */
const MOST = 100;

/** What is beyond is summed up under this name. */
export const OTHER = "other";

/** The largest, and one more that is the sum of the rest: those change places seldom, and only with the like. */
export function bounded<T>(
  all: T[],
  sizeOf: (one: T) => number,
  sumOf: (rest: T[]) => T,
): T[] {
  if (all.length <= MOST) return all;
  const sorted = all.toSorted((a, b) => sizeOf(b) - sizeOf(a));
  return [...sorted.slice(0, MOST), sumOf(sorted.slice(MOST))];
}
