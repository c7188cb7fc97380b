import assert from "node:assert/strict";
import { type HeldPort, holdPort } from "../../../scripts/stack/ports.ts";

Deno.test("ports held at the same time are all different", () => {
  using held = new DisposableStack();
  const ports = Array.from({ length: 6 }, () => held.use(holdPort()).port);
  assert.equal(new Set(ports).size, 6);
});

Deno.test("a held port is nobody else's until it is released", () => {
  using first = holdUncontested();
  {
    using second = holdPort(first.port);
    assert.notEqual(second.port, first.port);
  }
  first.release();
  using third = holdPort(first.port);
  assert.equal(third.port, first.port);
});

/** Holds a port below those that the system gives to whoever asks for any, so that nobody takes it in between. */
function holdUncontested(): HeldPort {
  const wished = 20_000 + Math.floor(Math.random() * 10_000);
  const held = holdPort(wished);
  if (held.port === wished) return held;
  held.release();
  return holdUncontested();
}
