import type { Spread } from "../spread.ts";

/** A value as the tables have it. */
export function short(value: number): string {
  return value < 10 ? value.toFixed(2) : whole(value);
}

/** A value without its fraction. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** The median, with the least and the most. */
export function range({ median, min, max }: Spread): string {
  return `${short(median)} (${short(min)}–${short(max)})`;
}
