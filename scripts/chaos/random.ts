/** Chance that can be repeated. */
export interface Random {
  /** From `least` up to, not including, `most`. */
  between(least: number, most: number): number;
  /** The same, whole numbers. */
  whole(least: number, most: number): number;
  pick<T>(from: readonly T[]): T;
  shuffled<T>(from: readonly T[]): T[];
}

/** The same seed gives the same numbers. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  /** Mulberry32: enough for faults, in one word of state. */
  const next = () => {
    state = state + 0x6d2b79f5 >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number) => least + next() * (most - least);
  const whole = (least: number, most: number) => Math.floor(between(least, most));
  return {
    between,
    whole,
    pick: (from) => from[whole(0, from.length)],
    shuffled(from) {
      const rest = [...from];
      return from.map(() => rest.splice(whole(0, rest.length), 1)[0]);
    },
  };
}
