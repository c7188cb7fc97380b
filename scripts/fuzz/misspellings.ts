import fc from "fast-check";
import { Buffer } from "node:buffer";
import { type Change, type Draft, encode } from "./draft.ts";
import { CANARY } from "./texts.ts";

const LIMIT = 1024 * 1024;
const NO_BODIES = [
  "",
  " ",
  "null",
  "[]",
  "NaN",
  '"text"',
  "{",
  "{}{}",
  "{'a': 1}",
  '{"a": 1,}',
  "// nothing\n{}",
  "\uFEFF{}",
  '{"a": "\n"}',
  '{"a": "\\x"}',
  '{"a": "\\ud800"}',
  '{"a": 01}',
  "worker_id=w&limit=1",
  `<tasks><task type="${CANARY}"/></tasks>`,
  `{"worker_id": "${CANARY}`,
  "[".repeat(20_000),
  '{"a":'.repeat(20_000),
];
const SPLINTERS = ["\\", '"', ",", "\0", "}", "\ud800", "]", "\n"];
const NO_UTF8 = [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5], [0]];

/** Bodies that are no JSON, not only JSON, no text, or as long as a body may be and a little longer. */
export const misspellings: fc.Arbitrary<Change> = fc.oneof(
  { weight: 24, arbitrary: fc.constantFrom(...NO_BODIES).map(instead) },
  { weight: 16, arbitrary: fc.nat().map(cutOff) },
  { weight: 16, arbitrary: fc.tuple(fc.nat(), fc.constantFrom(...SPLINTERS)).map(insert) },
  { weight: 12, arbitrary: fc.tuple(fc.nat(), fc.constantFrom(...NO_UTF8)).map(insertBytes) },
  {
    weight: 1,
    arbitrary: fc.constant(encodedBy((text) => new Uint8Array(Buffer.from(text, "utf16le")))),
  },
  { weight: 1, arbitrary: fc.constantFrom(0, 1).map((over) => encodedBy(padTo(LIMIT + over))) },
);

function instead(body: string): Change {
  return (draft) => ({ ...draft, body });
}

function cutOff(at: number): Change {
  return (draft) => ({ ...draft, body: draft.body!.slice(0, at % draft.body!.length) });
}

function insert([at, text]: [number, string]): Change {
  return (draft) => {
    const place = at % draft.body!.length;
    return { ...draft, body: draft.body!.slice(0, place) + text + draft.body!.slice(place) };
  };
}

function insertBytes([at, bytes]: [number, number[]]): Change {
  return encodedBy((text) => {
    const whole = encode(text);
    const place = at % whole.length;
    return Uint8Array.from([...whole.subarray(0, place), ...bytes, ...whole.subarray(place)]);
  });
}

function encodedBy(encode: Draft["encode"]): Change {
  return (draft) => ({ ...draft, encode });
}

function padTo(length: number): Draft["encode"] {
  return (text) => {
    const bytes = encode(text);
    return encode(text + " ".repeat(Math.max(0, length - bytes.length)));
  };
}
