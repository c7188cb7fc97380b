import assert from "node:assert/strict";
import { percentile } from "../../../scripts/bench/percentile.ts";

Deno.test("a percentile is a value that was measured, whatever order they came in", () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.equal(percentile(values, 0.5), 50);
  assert.equal(percentile(values, 0.99), 99);
  assert.equal(percentile(values, 1), 100);
  assert.equal(values[0], 100, "what was given stays as it was");
});

Deno.test("one value is every percentile", () => {
  assert.equal(percentile([7], 0.01), 7);
  assert.equal(percentile([7], 0.99), 7);
});
