import assert from "node:assert/strict";
import { Witness } from "../../../scripts/bench/witness.ts";

Deno.test("one after the other is no overlap", () => {
  const witness = new Witness();
  witness.takes("1", 100, 0);
  witness.gives("1");
  witness.takes("2", 150, 50);
  assert.equal(witness.overlaps, 0);
});

Deno.test("whoever is granted what others hold overlaps with each of them", () => {
  const witness = new Witness();
  witness.takes("1", 100, 0);
  witness.takes("2", 110, 10);
  witness.takes("3", 120, 20);
  assert.equal(witness.overlaps, 3);
});

Deno.test("somebody who never gives it back holds it for as long as the lease, and no longer", () => {
  const witness = new Witness();
  witness.takes("1", 100, 0);
  witness.takes("2", 199, 99);
  assert.equal(witness.overlaps, 1);
  witness.gives("2");
  witness.takes("3", 200, 100);
  assert.equal(witness.overlaps, 1);
});
