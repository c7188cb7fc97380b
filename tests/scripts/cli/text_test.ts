import assert from "node:assert/strict";
import { compact, jsonText, plain } from "../../../scripts/cli/text.ts";

Deno.test("text of users becomes one line without anything that acts on a terminal", () => {
  const cases: [string, string][] = [
    ["plain", "plain"],
    ["\x1b[31mred\x1b[0m", "red"],
    ["\x1b]0;title\x07after", "after"],
    ["one\r\ntwo\tthree", "one two three"],
    ["\u202egnp.exe", "gnp.exe"],
    ["a\u200bb\ufeffc", "abc"],
    ["👩‍👩‍👧", "👩‍👩‍👧"],
    ["\ud800lone", "\ufffdlone"],
  ];
  for (const [given, shown] of cases) assert.equal(plain(given), shown);
  assert.equal(compact({ a: "\x1b[31m" }), '{"a":"\\u001b[31m"}');
  assert.equal(compact(null), "");
});

Deno.test("JSON for a terminal is the same JSON", () => {
  const value = { "\x9b": "\u202e\x7f\u2028\u{e0001}", emoji: "👩‍👩‍👧" };
  const text = jsonText(value);
  assert.deepEqual(JSON.parse(text), value);
  assert.doesNotMatch(text, /[\x7f-\x9f\u2028\u202e\u{e0001}]/u);
  assert.match(text, /👩‍👩‍👧/);
});
