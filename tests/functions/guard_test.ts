import assert from "node:assert/strict";
import { surviveStrayErrors } from "../../functions/_shared/guard.ts";
import type { Log } from "../../functions/_shared/log.ts";
import { eventually } from "../support/eventually.ts";

Deno.test("what a handler leaves behind ends nothing, and is logged without what it said", async () => {
  const logged: string[] = [];
  const log: Log = {
    info: () => {},
    error: (event, facts) => logged.push(JSON.stringify([event, facts])),
    with: () => log,
  };
  surviveStrayErrors(log);
  surviveStrayErrors(log);

  Promise.reject(new TypeError("sk-SECRET"));
  setTimeout(() => {
    throw new RangeError("sk-SECRET");
  });
  await eventually("both were logged", () => Promise.resolve(logged.length >= 2));
  assert.deepEqual(logged.sort(), [
    '["stray_error",{"error":"RangeError"}]',
    '["stray_rejection",{"error":"TypeError"}]',
  ]);
});
