import type { Family, Histogram } from "../_shared/prometheus.ts";
import type { TaskTotals } from "../_shared/schemas.ts";
import { bounded, OTHER } from "./bounded.ts";

const COUNTERS = [
  ["enqueued", "dibs_tasks_enqueued_total", "Tasks that were enqueued."],
  ["claimed", "dibs_task_attempts_total", "Attempts that have ended, whichever way."],
  ["attempts_failed", "dibs_task_attempts_failed_total", "Attempts that failed or were lost."],
  ["completed", "dibs_tasks_completed_total", "Tasks that were completed."],
  ["failed", "dibs_tasks_failed_total", "Tasks that failed for good."],
  ["cancelled", "dibs_tasks_cancelled_total", "Tasks that were cancelled."],
] as const;

const HISTOGRAMS = [
  ["wait", "dibs_task_wait_seconds", "From when a task was due to its first claim."],
  ["run", "dibs_task_run_seconds", "From the claim of a task to its settlement."],
] as const;

/** What ever happened to tasks, by type; as of the last tick. */
export function totalsOf(totals: TaskTotals[]): Family[] {
  const types = bounded(totals, ({ enqueued }) => enqueued, togetherOf);
  return [
    ...COUNTERS.map(([field, name, help]): Family => ({
      name,
      help,
      type: "counter",
      samples: types.map((of) => ({ labels: { type: of.type }, value: of[field] })),
    })),
    ...HISTOGRAMS.map(([field, name, help]): Family => ({
      name,
      help,
      type: "histogram",
      samples: types.map((of) => ({ labels: { type: of.type }, ...inSeconds(of[field]) })),
    })),
  ];
}

function togetherOf(types: TaskTotals[]): TaskTotals {
  const [first, ...rest] = types;
  return rest.reduce((one, two) => ({
    ...one,
    ...Object.fromEntries(COUNTERS.map(([field]) => [field, one[field] + two[field]])),
    wait: together(one.wait, two.wait),
    run: together(one.run, two.run),
  }), { ...first, type: OTHER });
}

/** All have the same bounds. */
function together(one: TaskTotals["wait"], two: TaskTotals["wait"]): TaskTotals["wait"] {
  return {
    buckets: one.buckets.map(([bound, upTo], n) => [bound, upTo + two.buckets[n][1]]),
    count: one.count + two.count,
    sum_ms: one.sum_ms + two.sum_ms,
  };
}

function inSeconds({ buckets, count, sum_ms }: TaskTotals["wait"]): Omit<Histogram, "labels"> {
  return {
    buckets: buckets.map(([bound, upTo]) => [bound / 1000, upTo]),
    count,
    sum: sum_ms / 1000,
  };
}
