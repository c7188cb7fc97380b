import type { Statistic } from "../answers.ts";
import { instant } from "../format.ts";

/** How far back one looks, and how long each step of it is, in seconds. */
export interface Span {
  seconds: number;
  step: number;
}

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
export function courseOf(rows: Statistic[], span: Span): Course {
  const steps = stepsOf(rows, span);
  const rate = (name: "enqueued" | "completed" | "attempts_failed" | "failed") =>
    steps.map(({ rows }) => sum(rows, name) * 60 / span.step);
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

/** How many were completed in a minute, over the last five steps that are over. */
export function latelyDone(rows: Statistic[], span: Span): number {
  const lately = courseOf(rows, span).completed.slice(-6, -1);
  return lately.reduce((total, value) => total + value, 0) / Math.max(1, lately.length);
}

export function totalsOf(rows: Statistic[], span: Span): TypeTotals[] {
  const times = stepsOf(rows, span).map(({ at }) => at);
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

/** All of the time that is looked at, up to now: steps in which nothing happened have no row. */
function stepsOf(rows: Statistic[], { step, seconds }: Span): { at: number; rows: Statistic[] }[] {
  if (rows.length === 0) return [];
  const byTime = Map.groupBy(rows, ({ at }) => instant(at) / 1_000);
  const [some] = byTime.keys();
  const last = some + Math.floor((Date.now() / 1_000 - some) / step) * step;
  const count = Math.ceil(seconds / step);
  return Array.from({ length: count }, (_, n) => {
    const at = last - (count - 1 - n) * step;
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
