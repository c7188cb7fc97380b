import { count } from "../numbers.ts";

/** A time that has passed, in the largest unit that fits twice. */
export function age(seconds: number): string {
  const units: [number, string][] = [[86_400, "day"], [3_600, "hour"], [60, "minute"]];
  const [size, unit] = units.find(([size]) => seconds >= 2 * size) ?? [1, "second"];
  return count(Math.floor(seconds / size), unit);
}
