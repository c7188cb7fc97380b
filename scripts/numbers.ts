/** A number as people read it. */
export function number(value: number): string {
  return value.toLocaleString("en-US");
}

/** So many of something. */
export function count(value: number, noun: string): string {
  return `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
}
