import assert from "node:assert/strict";
import { lasting, momentOf, relative, withIsoTimes } from "../../../scripts/cli/times.ts";

const NOW = Date.parse("2026-11-27T12:00:00Z");

Deno.test("moments are told by how far away they are", () => {
  const cases: [string | null, string][] = [
    ["2026-11-27T12:00:00Z", "0s ago"],
    ["2026-11-27T11:59:01Z", "59s ago"],
    ["2026-11-27T11:00:00+00:00", "1h ago"],
    ["2026-11-25T11:00:00Z", "2d ago"],
    ["2026-11-27T12:10:59Z", "in 10m"],
    [null, ""],
    ["infinity", "infinity"],
  ];
  for (const [moment, told] of cases) assert.equal(relative(moment, NOW), told);
  assert.equal(lasting(0.4), "0s");
  assert.equal(lasting(null), "");
});

Deno.test("a moment is given in ISO 8601, or as how long ago it was", () => {
  assert.equal(momentOf("2h", NOW), "2026-11-27T10:00:00.000Z");
  assert.equal(momentOf("2026-11-27T10:00:00+01:00", NOW), "2026-11-27T09:00:00.000Z");
  for (const wrong of ["", "2", "h", "-2h", "yesterday", "2026-13-45", "27.11.2026", "1"]) {
    assert.equal(momentOf(wrong, NOW), null, wrong);
  }
});

Deno.test("rows have their moments in ISO 8601, whoever serves them, and are else left alone", () => {
  assert.deepEqual(
    withIsoTimes([{
      run_at: "2026-11-27 12:00:00.5+00",
      next_ticks: ["2026-11-27 12:00:00+05:30"],
      until: "infinity",
      at: null,
      payload: { run_at: "2026-11-27 12:00:00+00" },
      error: "2026-11-27 12:00:00+00",
    }]),
    [{
      run_at: "2026-11-27T12:00:00.5+00:00",
      next_ticks: ["2026-11-27T12:00:00+05:30"],
      until: "infinity",
      at: null,
      payload: { run_at: "2026-11-27 12:00:00+00" },
      error: "2026-11-27 12:00:00+00",
    }],
  );
});
