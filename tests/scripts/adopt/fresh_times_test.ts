import assert from "node:assert/strict";
import { freshTimes } from "../../../scripts/adopt/fresh_times.ts";

const now = new Date("2026-12-31T23:59:59.999Z");

Deno.test("times are a second apart, and none is in the future", () => {
  assert.deepEqual(freshTimes([], 2, now), ["20261231235957", "20261231235958"]);
  assert.deepEqual(freshTimes(["supabase/migrations/20240101000000_a.sql", "notes.md"], 1, now), [
    "20261231235958",
  ]);
});

Deno.test("they come after the newest migration, also when that is in the future", () => {
  const newest = ["20240101000000_a.sql", "20270228235958_b.sql", "0001_c.sql"];
  assert.deepEqual(freshTimes(newest, 2, now), ["20270228235959", "20270301000000"]);
  assert.deepEqual(freshTimes(["20261231235958_a.sql"], 1, now), ["20261231235959"]);
});

Deno.test("where that cannot be, it is told", () => {
  assert.throws(
    () => freshTimes(["99_a.sql"], 1, now),
    /begins with 99, which is no time such as 2026/,
  );
  assert.deepEqual(freshTimes(["99_a.sql"], 0, now), []);
});
