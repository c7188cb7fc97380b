import fc from "fast-check";

/** Stands in what is sent, once for all; each request then gets a number of its own in its place. */
export const CANARY = "xq7canary0000000";
/** The same as a number: nothing else that is answered or logged has these digits. */
export const NUMERIC_CANARY = "703141592653";

/** Text that may be kept as it is, and that one layer or another might take for more than text. */
const SUGGESTIVE = [
  "'; drop table dibs.log; --",
  "' or '1'='1",
  "1) union select secret from vault.secrets --",
  "$$; select pg_sleep(9); $$",
  "\\'; commit; --",
  "id.eq.1,or(status.eq.pending)",
  "*,claims:thought_work_claims(*)",
  "payload->>x=eq.1&limit=0&offset=1",
  "in.(1,2)",
  "{1,2}",
  '("a","b")',
  "{{7*7}}",
  "${7*7}",
  "<%= 7*7 %>",
  "#{7*7}",
  "%s%n%x",
  "$(reboot)",
  "`id`",
  "../../../../etc/passwd",
  "<script>alert(1)</script>",
  "]]><!--",
  "__proto__",
  "constructor",
  "null",
  "undefined",
  "NaN",
  "true",
  "-0",
  "1e400",
  "\u202Eright to left\u202C",
  "a\u200Bb\uFEFF",
  "e\u0301\u0301\u0301",
  "👩‍👩‍👧‍👦",
  "ß→ẞ ıİ",
  "\u2028\u2029",
  "\uFFFE\uFFFF",
];

/** Text that would break a line of a log, or move the cursor of who reads it. */
const CONTROLLING = [
  "a\nb",
  "\r\nSet-Cookie: a=b",
  "\u001b[2J\u001b[31m",
  "\t",
  "\u0007",
  "\u0085",
];

/** Text that PostgreSQL cannot keep. */
const UNSTORABLE = ["\0", "a\0b", "\ud800", "\udc00\ud800", "\\u0000\0"];

/** Lengths at which some limit is, and one more. */
const LENGTHS = [0, 1, 64, 100, 101, 200, 201, 2_704, 4_000, 4_001, 65_536];

/** Any of it, mostly with the canary at its end. */
export const hostileText = fc.oneof(
  withCanary(fc.constantFrom(...SUGGESTIVE, ...CONTROLLING, ...UNSTORABLE)),
  withCanary(fc.string({ unit: "binary", maxLength: 40 })),
  fc.constantFrom(...SUGGESTIVE, ...CONTROLLING, ...UNSTORABLE),
  fc.constantFrom(...LENGTHS).map((length) => CANARY.padEnd(length, "x").slice(0, length)),
);

/** Text that is odd, and fits wherever text of so many characters does. */
export function oddText(least: number, most: number): fc.Arbitrary<string> {
  const long = CANARY.padEnd(most, "y");
  return fc.oneof(
    { weight: 3, arbitrary: withCanary(fc.constantFrom(...SUGGESTIVE)) },
    { weight: 2, arbitrary: fc.string({ unit: "grapheme", minLength: least, maxLength: 30 }) },
    { weight: 1, arbitrary: fc.constantFrom(long, long.slice(0, Math.max(least, 1))) },
  ).filter((text) => text.length >= least && text.length <= most);
}

function withCanary(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return text.map((it) => it + CANARY);
}
