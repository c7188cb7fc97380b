import assert from "node:assert/strict";
import { holdPort } from "../../../scripts/stack/ports.ts";

Deno.test("ports held at the same time are all different", () => {
  using held = new DisposableStack();
  const ports = Array.from({ length: 6 }, () => held.use(holdPort()).port);
  assert.equal(new Set(ports).size, 6);
});

Deno.test("a held port is nobody else's until it is released", () => {
  using first = holdPort();
  {
    using second = holdPort(first.port);
    assert.notEqual(second.port, first.port);
  }
  first.release();
  using third = holdPort(first.port);
  assert.equal(third.port, first.port);
});
