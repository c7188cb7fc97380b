import assert from "node:assert/strict";
import { renderGoals, renderTable } from "../../../scripts/bench/table.ts";

const one = { median: 1.234, min: 1, max: 20.4 };

Deno.test("each workload has a table of its own, with the columns that it measured", () => {
  const rendered = renderTable([
    { workload: "drain", cell: "W4", contender: "dibs", figures: { against_pgmq: one } },
    { workload: "drain", cell: "W4", contender: "pgmq", figures: {} },
    { workload: "few", cell: "W16", contender: "dibs", figures: { until_done_ms: one } },
  ]);
  const [drain, few] = rendered.split(/(?=┌)/);
  assert.match(drain, /× pgmq/);
  assert.doesNotMatch(drain, /until done/);
  assert.match(drain, /1\.23 \(1\.00–20\)/);
  assert.match(few, /until done/);
  assert.doesNotMatch(few, /× pgmq/);
});

Deno.test("an overlap is shown in whichever repeat it was", () => {
  const figures = { overlaps: { median: 0, min: 0, max: 7 } };
  const rendered = renderTable([{ workload: "limits", cell: "W32", contender: "dibs", figures }]);
  assert.match(rendered, /dibs .* 7 /);
});

Deno.test("a cell is named once, above its contenders", () => {
  const line = { workload: "drain", cell: "W4", figures: {} };
  const rendered = renderTable([{ ...line, contender: "dibs" }, { ...line, contender: "pgmq" }]);
  assert.equal(rendered.match(/W4/g)?.length, 1);
});

Deno.test("a goal is shown with what was measured, its numbers and how far it was reached", () => {
  const measured = { value: 3, min: 2, max: 4 };
  const rendered = renderGoals([
    { measure: "fast", ...measured, reach: 2.5, beyond: 3.7 },
    { measure: "small", ...measured, reach: 0.7, beyond: 0.25 },
  ]);
  assert.match(rendered, /fast .*3\.00 \(2\.00–4\.00\).*≥ 2\.5.*≥ 3\.7.*reached/);
  assert.match(rendered, /small .*≤ 0\.7.*≤ 0\.25.*missed/);
});
