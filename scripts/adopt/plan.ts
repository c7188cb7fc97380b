import type { Change } from "./changes.ts";
import { digestOf } from "./manifest.ts";

/** What is to become of a project, or why nothing is. */
export interface Plan {
  /** What it does, as a headline. */
  title: string;
  changes: Change[];
  /** While there are any, nothing is changed. */
  obstacles: Obstacle[];
  /** Files of Dibs that stay as somebody changed them. */
  kept: string[];
  /** What is left to do when it is done. */
  next: string[];
}

/** Something in a project that has to be mended first. */
export interface Obstacle {
  path: string;
  problem: string;
  mend: string;
}

/** A text of Dibs in a project: as it was when written last, as it is, and as it is to be. */
export interface Versions {
  recorded?: string;
  current: string | null;
  wanted: string | null;
}

/** What becomes of it: Dibs may have changed it, the project, both of them, or nobody. */
export function decide(
  { recorded, current, wanted }: Versions,
): "nothing" | "write" | "keep" | "clash" {
  const [is, shall] = [current, wanted].map((text) => text === null ? null : digestOf(text));
  if (is === shall) return "nothing";
  if (is === null || is === recorded) return "write";
  return shall === recorded ? "keep" : "clash";
}
