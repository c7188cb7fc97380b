import type { Fault } from "./fault.ts";
import { FAULTS } from "./faults/index.ts";
import { type Random, randomFrom } from "./random.ts";

/** A fault, and when it comes. */
export interface Planned {
  fault: Fault;
  /** At which part of the work, 0 to 1: so that all of them come while there is work. */
  at: number;
  /** Its own, so that what it does depends on nothing but the seed. */
  random: Random;
}

/** What is left without faults at the end. */
const LAST_AT = 0.9;

/** When what goes wrong: each kind once and beyond that by its share, in an order that the seed decides. */
export function planFaults(count: number, seed: number, kinds: Fault[] = FAULTS): Planned[] {
  const random = randomFrom(seed);
  const percents = kinds.reduce((sum, { percent }) => sum + percent, 0);
  const more = Math.max(0, count - kinds.length);
  const byShare = kinds.flatMap((fault) =>
    Array<Fault>(Math.floor(more * fault.percent / percents)).fill(fault)
  );
  const filling = Array.from({ length: more - byShare.length }, () => random.pick(kinds));
  const faults = [...random.shuffled(kinds).slice(0, count), ...byShare, ...filling];
  return random.shuffled(faults).map((fault, nth) => ({
    fault,
    at: LAST_AT * (nth + random.between(0, 1)) / count,
    random: randomFrom(random.whole(0, 2 ** 32)),
  }));
}
