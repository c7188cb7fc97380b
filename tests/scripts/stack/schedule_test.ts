import assert from "node:assert/strict";
import { isDue } from "../../../scripts/stack/schedule.ts";

const at = (time: string) => new Date(`2026-03-04T${time}Z`); // a Wednesday

Deno.test("an interval is due when that many seconds have passed since the last start", () => {
  assert.equal(isDue("10 seconds", at("00:00:00"), at("00:00:09.999")), false);
  assert.equal(isDue("10 seconds", at("00:00:00"), at("00:00:10")), true);
});

Deno.test("a cron schedule is due once in each minute that it names", () => {
  assert.equal(isDue("* * * * *", at("10:00:59"), at("10:01:00")), true);
  assert.equal(isDue("* * * * *", at("10:01:00"), at("10:01:59")), false);
});

Deno.test("cron fields take numbers, ranges, steps and lists, in UTC", () => {
  const due = (schedule: string) => isDue(schedule, at("03:16:59"), at("03:17:00"));
  assert.equal(due("17 3 * * *"), true);
  assert.equal(due("18 3 * * *"), false);
  assert.equal(due("10-20 1,3 4 3 3"), true);
  assert.equal(due("17 3 * * 4"), false);
  assert.equal(due("*/17 * * * *"), true);
  assert.equal(due("*/5 * * * *"), false);
  assert.equal(due("2-30/15 * * * *"), true);
});
