/** How far back charts look: in seconds, and how long each step of them is. */
export interface Range {
  seconds: number;
  step: number;
}

/** A minute is the shortest step there is; of what is a day old the database knows hours only. */
export const RANGES = {
  "15min": { seconds: 900, step: 60 },
  "1h": { seconds: 3_600, step: 60 },
  "24h": { seconds: 86_400, step: 3_600 },
  "7d": { seconds: 604_800, step: 7_200 },
} as const satisfies Record<string, Range>;

export type RangeName = keyof typeof RANGES;

export const RANGE_NAMES = Object.keys(RANGES) as RangeName[];
