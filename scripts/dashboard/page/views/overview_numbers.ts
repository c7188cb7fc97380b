import type { Statistic } from "../answers.ts";
import { instant } from "../format.ts";

/** What the charts show: a value for each step, of one type or of all. */
export interface Course {
  /** Seconds since 1970, as uPlot wants them. */
  times: number[];
  enqueued: number[];
  completed: number[];
  attemptsFailed: number[];
  failed: number[];
  waitP50: (number | null)[];
  waitP99: (number | null)[];
  runP50: (number | null)[];
  runP99: (number | null)[];
}

/** What a type did in the time that is looked at. */
export interface TypeTotals {
  type: string;
  enqueued: number;
  completed: number;
  attemptsFailed: number;
  failed: number;
  waitP50: number | null;
  waitP99: number | null;
  runP50: number | null;
  runP99: number | null;
  completedCourse: number[];
}

type Measure = "wait_p50_ms" | "wait_p99_ms" | "run_p50_ms" | "run_p99_ms";

/**
 * Of several types: sums; of medians their mean, weighted by how many were claimed; of 99th
 * percentiles the worst. More cannot be said honestly of percentiles.
 */
export function courseOf(rows: Statistic[], stepSeconds: number): Course {
  const steps = stepsOf(rows, stepSeconds);
  const rate = (name: "enqueued" | "completed" | "attempts_failed" | "failed") =>
    steps.map(({ rows }) => sum(rows, name) * 60 / stepSeconds);
  return {
    times: steps.map(({ at }) => at),
    enqueued: rate("enqueued"),
    completed: rate("completed"),
    attemptsFailed: rate("attempts_failed"),
    failed: rate("failed"),
    waitP50: steps.map(({ rows }) => mean(rows, "wait_p50_ms")),
    waitP99: steps.map(({ rows }) => worst(rows, "wait_p99_ms")),
    runP50: steps.map(({ rows }) => mean(rows, "run_p50_ms")),
    runP99: steps.map(({ rows }) => worst(rows, "run_p99_ms")),
  };
}

export function totalsOf(rows: Statistic[], stepSeconds: number): TypeTotals[] {
  const times = stepsOf(rows, stepSeconds).map(({ at }) => at);
  return Object.entries(Object.groupBy(rows, ({ type }) => type)).sort(([a], [b]) => a < b ? -1 : 1)
    .map(([type, own = []]) => {
      const at = new Map(own.map((row) => [instant(row.at) / 1_000, row.completed]));
      return {
        type,
        enqueued: sum(own, "enqueued"),
        completed: sum(own, "completed"),
        attemptsFailed: sum(own, "attempts_failed"),
        failed: sum(own, "failed"),
        waitP50: mean(own, "wait_p50_ms"),
        waitP99: worst(own, "wait_p99_ms"),
        runP50: mean(own, "run_p50_ms"),
        runP99: worst(own, "run_p99_ms"),
        completedCourse: times.map((time) => at.get(time) ?? 0),
      };
    });
}

/** Steps in which nothing happened have no row, and are zeros all the same. */
function stepsOf(rows: Statistic[], stepSeconds: number): { at: number; rows: Statistic[] }[] {
  const byTime = Map.groupBy(rows, ({ at }) => instant(at) / 1_000);
  if (byTime.size === 0) return [];
  const first = Math.min(...byTime.keys());
  const count = Math.round((Math.max(...byTime.keys()) - first) / stepSeconds) + 1;
  return Array.from({ length: count }, (_, n) => {
    const at = first + n * stepSeconds;
    return { at, rows: byTime.get(at) ?? [] };
  });
}

function sum(
  rows: Statistic[],
  name: "enqueued" | "completed" | "attempts_failed" | "failed",
): number {
  return rows.reduce((total, row) => total + Number(row[name]), 0);
}

function mean(rows: Statistic[], name: Measure): number | null {
  const known = rows.filter((row) => row[name] !== null);
  const weight = known.reduce((total, { claimed }) => total + Math.max(1, claimed), 0);
  if (weight === 0) return null;
  return known.reduce((total, row) => total + row[name]! * Math.max(1, row.claimed), 0) / weight;
}

function worst(rows: Statistic[], name: Measure): number | null {
  const known = rows.map((row) => row[name]).filter((value) => value !== null);
  return known.length > 0 ? Math.max(...known) : null;
}
