import fc from "fast-check";
import { type Change, type Draft, encode } from "./draft.ts";
import type { Endpoint } from "./endpoints.ts";
import { type Json, textOf, written } from "./json.ts";
import { misspellings } from "./misspellings.ts";
import { mutated } from "./mutations.ts";
import { around, elsewhere } from "./oddities.ts";

/** What is sent to an endpoint: a little of it as it should be, the rest changed in all manner of ways. */
export function draftsFor(endpoint: Endpoint): fc.Arbitrary<Draft> {
  const { method, bodies } = endpoint;
  const plain = (body: Json | null): Draft => ({
    method,
    path: "",
    headers: bodies ? { "content-type": "application/json" } : {},
    body: body && textOf(body),
    encode,
  });
  const good = bodies ? bodies.map((body) => plain(written(body))) : fc.constant(plain(null));
  if (!bodies) {
    return fc.oneof(
      { weight: 1, arbitrary: good },
      { weight: 2, arbitrary: changed(good, around) },
      { weight: 30, arbitrary: changed(changed(good, around), elsewhere) },
    );
  }
  return fc.oneof(
    { weight: 2, arbitrary: good },
    { weight: 26, arbitrary: mutated(bodies).map(plain) },
    { weight: 5, arbitrary: changed(good, misspellings) },
    { weight: 2, arbitrary: changed(good, around) },
    { weight: 1, arbitrary: changed(good, elsewhere) },
  );
}

function changed(drafts: fc.Arbitrary<Draft>, changes: fc.Arbitrary<Change>) {
  return fc.tuple(drafts, changes).map(([draft, change]) => change(draft));
}
