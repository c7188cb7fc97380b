import assert from "node:assert/strict";
import { type Goal, judge, verdict } from "../../../scripts/bench/goals.ts";
import type { Result } from "../../../scripts/bench/measure.ts";
import { workloads, workloadsWithGoals } from "../../../scripts/bench/workloads/index.ts";

function result(
  repeat: number,
  workload: string,
  cell: string,
  contender: string,
  figures: Result["figures"],
): Result {
  return { repeat, workload, cell, contender, figures };
}

function rate(repeat: number, cell: string, contender: string, rate: number): Result {
  return result(repeat, "drain", cell, contender, { tasks_per_second: rate });
}

function goal(value: number, reach: number, beyond: number): Goal {
  return { measure: "", value, min: value, max: value, reach, beyond };
}

Deno.test("where more is better a goal is met from its number upwards", () => {
  assert.equal(verdict(goal(2.4, 2.5, 3.7)), "missed");
  assert.equal(verdict(goal(2.5, 2.5, 3.7)), "reached");
  assert.equal(verdict(goal(3.7, 2.5, 3.7)), "beyond");
});

Deno.test("where less is better a goal is met from its number downwards", () => {
  assert.equal(verdict(goal(0.6, 0.5, 0.25)), "missed");
  assert.equal(verdict(goal(0.5, 0.5, 0.25)), "reached");
  assert.equal(verdict(goal(0.25, 0.5, 0.25)), "beyond");
});

Deno.test("a goal's value is the median of the ratios within each repeat", () => {
  const [found, ...others] = judge([
    rate(0, "W4 b10", "dibs", 30),
    rate(0, "W4 b10", "pgmq", 10),
    rate(1, "W4 b10", "dibs", 10),
    rate(1, "W4 b10", "pgmq", 20),
    rate(2, "W4 b10", "dibs", 80),
    rate(2, "W4 b10", "pgmq", 40),
  ]);
  assert.deepEqual(found, {
    measure: "drain W4 b10 against pgmq",
    value: 2,
    min: 0.5,
    max: 3,
    reach: 1.5,
    beyond: 2,
  });
  assert.deepEqual(others, []);
});

Deno.test("a goal without its base, or that nothing was measured for, is left out", () => {
  assert.deepEqual(judge([rate(0, "W4 b10", "dibs", 30)]), []);
  assert.deepEqual(judge([]), []);
});

Deno.test("a repeat in which a figure is missing does not count", () => {
  const wal = (repeat: number, contender: string, figures: Result["figures"]) =>
    result(repeat, "drain", "W4 b100", contender, figures);
  const [found] = judge([
    wal(0, "dibs", { wal_bytes_per_task: 300 }),
    wal(0, "pgmq", { wal_bytes_per_task: 1200 }),
    wal(1, "dibs", { wal_bytes_per_task: 300 }),
    wal(1, "pgmq", {}),
  ]);
  assert.match(found.measure, /^WAL/);
  assert.deepEqual([found.value, found.min, found.max], [0.25, 0.25, 0.25]);
});

Deno.test("many workers are compared with the fastest of the other queues that took part", () => {
  const [found] = judge([
    rate(0, "W16 b100", "dibs", 60),
    rate(0, "W16 b100", "graphile_worker", 30),
    rate(0, "W16 b100", "pg_boss", 10),
  ]);
  assert.equal(found.value, 2);
});

Deno.test("goals about long backlogs are about the longest ones, and say how long they were", () => {
  const claims = (workload: string, cell: string, contender: string, ms: number) =>
    result(0, workload, cell, contender, { claim_b10_p50_ms: ms });
  const goals = judge([
    claims("backlog", "900 pending", "dibs", 1),
    claims("backlog", "900 pending", "pgmq", 1),
    claims("backlog", "1,000 pending", "dibs", 1),
    claims("backlog", "1,000 pending", "pgmq", 4),
    claims("backlog", "1,000 pending, untouched", "dibs", 3),
    claims("backlog", "1,000 pending, untouched", "pgmq", 4),
    claims("scale", "5 pending", "dibs", 2),
    claims("scale", "7 pending", "dibs", 3),
  ]);
  assert.deepEqual(goals.map(({ measure, value }) => [measure, value]), [
    ["claim call b10 p50 at 1,000 pending against pgmq", 0.25],
    ["claim call b10 p50 at 1,000 pending, untouched against pgmq", 0.75],
    ["claim call b10 p50 at 7 pending against 5 pending", 1.5],
  ]);
});

Deno.test("other keys are compared with themselves beside a key without its limit", () => {
  const found = judge(
    workloads.limits({ quick: true }).flatMap(({ workload, name }) => [
      result(0, workload, name, "dibs_no_keys", { tasks_per_second: 50 }),
      result(0, workload, name, "dibs_no_limit", { tasks_per_second: 20 }),
      result(0, workload, name, "dibs_limit_1", { tasks_per_second: 18 }),
    ]),
  );
  assert.deepEqual(found.map(({ measure, value }) => [measure, value]), [
    ["limits: other keys beside a key with limit 1", 0.9],
  ]);
});

for (const quick of [true, false]) {
  Deno.test(`every goal finds what it is about in ${quick ? "the quick" : "the long"} bench`, () => {
    const figures = {
      tasks_per_second: 1,
      wal_bytes_per_task: 1,
      until_done_ms: 1,
      last_tenth_per_second: 1,
      last_tenth_against_first: 1,
      last_tenth_call_against_first: 1,
      bulk_against_one_by_one: 1,
      ...Object.fromEntries(
        [1, 10, 100].flatMap((batch) =>
          ["p50", "p99"].map((part) => [`claim_b${batch}_${part}_ms`, 1])
        ),
      ),
    };
    const cells = workloadsWithGoals.flatMap((name) => workloads[name]({ quick }));
    const goals = judge(
      cells.flatMap(({ workload, name, contenders }) =>
        contenders.map((contender) => result(0, workload, name, contender.name, figures))
      ),
    );
    assert.deepEqual(goals.map(({ value }) => value), Array(quick ? 27 : 33).fill(1));
    assert.doesNotMatch(goals.map(({ measure }) => measure).join(), /undefined/);
  });
}
