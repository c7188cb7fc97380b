/** A place in a picture, to a hundredth of a unit: every machine writes the same. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
