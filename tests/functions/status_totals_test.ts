import assert from "node:assert/strict";
import { prometheusText } from "../../functions/_shared/prometheus.ts";
import type { TaskTotals } from "../../functions/_shared/schemas.ts";
import { totalsOf } from "../../functions/status/totals.ts";
import { parseMetrics } from "../support/prometheus.ts";

Deno.test("counters and histograms have a series for each type, times in seconds", () => {
  const text = prometheusText(totalsOf([totals("email", 10)]));
  const parsed = parseMetrics(text);
  assert.deepEqual(
    parsed.map(({ name, type }) => `${name} ${type}`),
    [
      "dibs_tasks_enqueued_total COUNTER",
      "dibs_task_attempts_total COUNTER",
      "dibs_task_attempts_failed_total COUNTER",
      "dibs_tasks_completed_total COUNTER",
      "dibs_tasks_failed_total COUNTER",
      "dibs_tasks_cancelled_total COUNTER",
      "dibs_task_wait_seconds HISTOGRAM",
      "dibs_task_run_seconds HISTOGRAM",
    ],
  );
  assert.deepEqual(parsed[0].metrics, [{ labels: { type: "email" }, value: "10" }]);
  const wait = text.split("\n").filter((line) => line.startsWith("dibs_task_wait_seconds"));
  assert.deepEqual(wait, [
    'dibs_task_wait_seconds_bucket{type="email",le="0.001"} 1',
    'dibs_task_wait_seconds_bucket{type="email",le="0.004"} 8',
    'dibs_task_wait_seconds_bucket{type="email",le="+Inf"} 10',
    'dibs_task_wait_seconds_sum{type="email"} 0.5',
    'dibs_task_wait_seconds_count{type="email"} 10',
  ]);
});

Deno.test("however many types there are, those with most tasks have their own series, and nothing is left out", () => {
  const families = totalsOf(Array.from({ length: 130 }, (_, n) => totals(`t${n}`, n)));
  for (const { name, samples } of families) {
    assert.equal(samples.length, 101, name);
    assert.equal(samples.at(-1)!.labels!.type, "other", name);
    assert.equal(samples[0].labels!.type, "t129", name);
  }
  const [enqueued] = families;
  assert.ok(enqueued.type === "counter");
  assert.equal(enqueued.samples.reduce((sum, { value }) => sum + value, 0), 129 * 130 / 2);
  const wait = families.find(({ name }) => name === "dibs_task_wait_seconds")!;
  assert.ok(wait.type === "histogram");
  assert.deepEqual(wait.samples.at(-1), {
    labels: { type: "other" },
    buckets: [[0.001, 30], [0.004, 240]],
    count: 300,
    sum: 15,
  });
});

function totals(type: string, enqueued: number): TaskTotals {
  const counts = {
    enqueued,
    claimed: 1,
    completed: 2,
    attempts_failed: 3,
    failed: 4,
    cancelled: 5,
  };
  const times = { buckets: [[1, 1], [4, 8]] as [number, number][], count: 10, sum_ms: 500 };
  return { type, ...counts, wait: times, run: times };
}
