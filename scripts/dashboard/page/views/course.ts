import type { Range } from "../../ranges.ts";
import type { Statistic } from "../answers.ts";
import { instant } from "../format.ts";

type Count = "enqueued" | "claimed" | "completed" | "attempts_failed" | "failed" | "cancelled";
type Latency = "wait_p50_ms" | "wait_p99_ms" | "run_p50_ms" | "run_p99_ms";

/** What happened in some time, of one type or of several. */
export type Sums = Record<Count, number> & Record<Latency, number | null>;

export interface Step extends Sums {
  /** Its beginning, in seconds since 1970. */
  at: number;
}

/** A value for each step up to now: where nothing happened no row is, counts are 0, latencies unknown. */
export function courseOf(rows: Statistic[], { seconds, step }: Range): Step[] {
  const byStep = Map.groupBy(rows, ({ at }) => instant(at) / 1_000);
  const latest = Math.max(...byStep.keys());
  // As the rows tell it, for the database's steps may begin elsewhere than the browser's.
  const offset = Number.isFinite(latest) ? latest % step : 0;
  const last = Math.floor((Date.now() / 1_000 - offset) / step) * step + offset;
  const count = Math.ceil(seconds / step);
  return Array.from({ length: count }, (_, n) => {
    const at = Math.max(last, latest) - (count - 1 - n) * step;
    return { at, ...sumsOf(byStep.get(at) ?? []) };
  });
}

/** What each type did, in the order of their names. */
export function totalsOf(rows: Statistic[]): { type: string; sums: Sums }[] {
  return [...Map.groupBy(rows, ({ type }) => type)]
    .map(([type, own]) => ({ type, sums: sumsOf(own) }))
    .sort((a, b) => a.type < b.type ? -1 : 1);
}

/**
 * Of percentiles no more can be said honestly: of medians their mean, weighted by how many were
 * claimed; of 99th percentiles the worst.
 */
function sumsOf(rows: Statistic[]): Sums {
  const sum = (name: Count) => rows.reduce((total, row) => total + row[name], 0);
  return {
    enqueued: sum("enqueued"),
    claimed: sum("claimed"),
    completed: sum("completed"),
    attempts_failed: sum("attempts_failed"),
    failed: sum("failed"),
    cancelled: sum("cancelled"),
    wait_p50_ms: mean(rows, "wait_p50_ms"),
    wait_p99_ms: worst(rows, "wait_p99_ms"),
    run_p50_ms: mean(rows, "run_p50_ms"),
    run_p99_ms: worst(rows, "run_p99_ms"),
  };
}

function mean(rows: Statistic[], name: Latency): number | null {
  const known = rows.filter((row) => row[name] !== null)
    .map((row) => ({ value: row[name]!, weight: Math.max(1, row.claimed) }));
  if (known.length === 0) return null;
  const weights = known.reduce((total, { weight }) => total + weight, 0);
  return known.reduce((total, { value, weight }) => total + value * weight, 0) / weights;
}

function worst(rows: Statistic[], name: Latency): number | null {
  const known = rows.map((row) => row[name]).filter((value) => value !== null);
  return known.length > 0 ? Math.max(...known) : null;
}
