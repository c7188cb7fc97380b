// What the charts make of the statistics.
import assert from "node:assert/strict";
import { RANGES } from "../../../scripts/dashboard/ranges.ts";
import type { Statistic } from "../../../scripts/dashboard/page/answers.ts";
import { courseOf, totalsOf } from "../../../scripts/dashboard/page/views/course.ts";

const HOUR = RANGES["1h"];
const NONE = {
  enqueued: 0,
  claimed: 0,
  completed: 0,
  attempts_failed: 0,
  failed: 0,
  cancelled: 0,
  wait_p50_ms: null,
  wait_p99_ms: null,
  run_p50_ms: null,
  run_p99_ms: null,
};

Deno.test("steps in which nothing happened count nothing and know no latency", () => {
  const steps = courseOf(
    [row(3, { completed: 7, run_p50_ms: 20 }), row(1, { completed: 2 })],
    HOUR,
  );
  assert.equal(steps.length, 60);
  assert.deepEqual(steps.slice(-5).map(({ completed }) => completed), [0, 7, 0, 2, 0]);
  assert.deepEqual(steps.slice(-5).map(({ run_p50_ms }) => run_p50_ms), [
    null,
    20,
    null,
    null,
    null,
  ]);
  const times = steps.map(({ at }) => at);
  assert(times.every((at, n) => n === 0 || at - times[n - 1] === HOUR.step));
});

Deno.test("without any row there are as many steps, up to now", () => {
  for (const range of Object.values(RANGES)) {
    const steps = courseOf([], range);
    assert.equal(steps.length, range.seconds / range.step);
    assert(Date.now() / 1_000 - steps.at(-1)!.at <= range.step);
    assert.deepEqual({ ...steps[0], at: 0 }, { at: 0, ...NONE });
  }
});

Deno.test("a database whose clock is ahead is shown to its own last step", () => {
  const steps = courseOf([row(-2, { enqueued: 4 })], HOUR);
  assert.equal(steps.at(-1)!.enqueued, 4);
});

Deno.test("several types: sums, the mean of medians by what was claimed, the worst of the rest", () => {
  const rows = [
    row(0, { type: "b", claimed: 30, completed: 30, wait_p50_ms: 10, wait_p99_ms: 90 }),
    row(0, { type: "a", claimed: 10, completed: 9, wait_p50_ms: 50, wait_p99_ms: 60 }),
    row(0, { type: "c", enqueued: 5 }),
  ];
  const last = courseOf(rows, HOUR).at(-1)!;
  assert.deepEqual([last.claimed, last.completed, last.enqueued], [40, 39, 5]);
  assert.deepEqual([last.wait_p50_ms, last.wait_p99_ms, last.run_p99_ms], [20, 90, null]);
  assert.deepEqual(totalsOf(rows).map(({ type, sums }) => [type, sums.claimed]), [
    ["a", 10],
    ["b", 30],
    ["c", 0],
  ]);
});

/** Of a step so many minutes ago. */
function row(minutes: number, values: Partial<Statistic>): Statistic {
  const at = new Date((Math.floor(Date.now() / 60_000) - minutes) * 60_000).toISOString();
  return { at, type: "a", ...NONE, ...values };
}
