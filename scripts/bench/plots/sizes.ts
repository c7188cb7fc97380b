import { scaleLog } from "d3-scale";
import { whole } from "./values.ts";

/** An axis of sizes that are ten times each other. */
export function sizeAxis(sizes: number[], places: [number, number], title: string) {
  const ticks = [...new Set(sizes)].sort((a, b) => a - b);
  return {
    scale: scaleLog([ticks[0], ticks[ticks.length - 1]], [places[0] + 22, places[1]]),
    ticks,
    format: whole,
    title,
  };
}
