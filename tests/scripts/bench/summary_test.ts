import assert from "node:assert/strict";
import type { Contender } from "../../../scripts/bench/contender.ts";
import type { Result } from "../../../scripts/bench/measure.ts";
import { summarise } from "../../../scripts/bench/summary.ts";
import type { Cell } from "../../../scripts/bench/workload.ts";

function cell(name: string, contenders: string[], oneByOne?: string): Cell {
  return {
    workload: "drain",
    name,
    contenders: contenders.map((name) => ({ name }) as Contender),
    oneByOne,
    measure: () => Promise.reject(),
  };
}

function result(repeat: number, cell: string, contender: string, rate: number): Result {
  return { repeat, workload: "drain", cell, contender, figures: { tasks_per_second: rate } };
}

Deno.test("ratios are formed within a repeat, then their median is taken", () => {
  const lines = summarise([cell("b1", ["dibs", "limit"])], [
    result(0, "b1", "dibs", 10),
    result(0, "b1", "limit", 10),
    result(1, "b1", "dibs", 40),
    result(1, "b1", "limit", 80),
    result(2, "b1", "dibs", 90),
    result(2, "b1", "limit", 30),
  ]);
  const dibs = lines.find(({ contender }) => contender === "dibs");
  assert.deepEqual(dibs?.figures.against_limit, { median: 1, min: 0.5, max: 3 });
  assert.deepEqual(dibs?.figures.tasks_per_second, { median: 40, min: 10, max: 90 });
});

Deno.test("a base that cannot batch is compared with as it is one by one", () => {
  const lines = summarise([cell("b1", ["guide"]), cell("b100", ["dibs"], "b1")], [
    result(0, "b1", "guide", 5),
    result(0, "b100", "dibs", 50),
  ]);
  assert.equal(lines[1].figures.against_guide.median, 10);
});

Deno.test("without its base a contender has no ratio", () => {
  const [line] = summarise([cell("b1", ["dibs"])], [result(0, "b1", "dibs", 10)]);
  assert.deepEqual(Object.keys(line.figures), ["tasks_per_second"]);
});

Deno.test("a figure that some repeats lack is taken from the others", () => {
  const cut = result(0, "b1", "dibs", 10);
  const whole = { ...cut, repeat: 1, figures: { ...cut.figures, wal_bytes_per_task: 5 } };
  const [line] = summarise([cell("b1", ["dibs"])], [cut, whole]);
  assert.deepEqual(line.figures.wal_bytes_per_task, { median: 5, min: 5, max: 5 });
});

Deno.test("what has no rate has no ratio of rates", () => {
  const results = ["dibs", "pgmq"].map((contender) => ({
    ...result(0, "b1", contender, 0),
    figures: { until_done_ms: 5 },
  }));
  const [line] = summarise([cell("b1", ["dibs", "pgmq"])], results);
  assert.deepEqual(Object.keys(line.figures), ["until_done_ms"]);
});
