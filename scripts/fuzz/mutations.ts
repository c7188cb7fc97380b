import fc from "fast-check";
import { become, type Json, partsOf, textOf, written } from "./json.ts";
import { CANARY, hostileText, NUMERIC_CANARY } from "./texts.ts";

/** A change to one part of a body, in place. */
type Edit = (part: Json) => void;

/** Bodies that are made of these by a few edits, at any depth. */
export function mutated(bodies: fc.Arbitrary<unknown>): fc.Arbitrary<Json> {
  const edit = fc.record({ at: fc.nat(), edit: edits });
  return fc.tuple(bodies, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([body, edits]) => {
    const json = written(body);
    for (const { at, edit } of edits) {
      const parts = partsOf(json);
      edit(parts[at % parts.length]);
    }
    return json;
  });
}

const NUMBERS = [
  "-1",
  "0",
  "-0",
  "1.5",
  "101",
  "1001",
  "32768",
  "86401",
  "2147483648",
  "9007199254740993",
  "99999999999999999999999",
  "1e15",
  "1e308",
  "1e400",
  "-1e400",
  "5e-324",
  "1E+2",
  "1.0",
  `${NUMERIC_CANARY}0000`,
];
const WORDS = ["null", "true", "false", "[]", "{}", '""', "[[]]", "[null]", '{"":null}'];
const KEYS = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "length",
  "",
  " ",
  "color",
  "id",
  "status",
  "p_limit",
  "WORKER_ID",
  "worker_id ",
  "fence",
  "work_type",
  "thought_ids",
  "request_id",
  "wait",
  "a.b[0]",
  `of ${CANARY}`,
  `\0${CANARY}`,
  "\ud800",
];
const MANY = [101, 1_001, 5_000, 20_000];
/** In characters, so that most of the time goes into more bodies, not larger ones. */
const LONGEST = 300_000;

const depths = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(32, 64, 65, 200, 1_000) },
  { weight: 1, arbitrary: fc.constantFrom(20_000, 100_000) },
);

const others: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom(...NUMBERS, ...WORDS).map((raw) => ({ raw })),
  hostileText.map(written),
);

const edits: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 30, arbitrary: others.map((other): Edit => (part) => become(part, other)) },
  { weight: 15, arbitrary: fc.tuple(fc.constantFrom(...KEYS), others).map(add) },
  { weight: 15, arbitrary: fc.nat().map(removeOne) },
  { weight: 10, arbitrary: fc.tuple(fc.nat(), others).map(repeatKey) },
  { weight: 10, arbitrary: fc.tuple(fc.nat(), fc.constantFrom(...KEYS)).map(rename) },
  { weight: 2, arbitrary: fc.tuple(depths, fc.boolean()).map(nest) },
  { weight: 1, arbitrary: fc.constantFrom(...MANY).map(multiply) },
);

function add([key, value]: [string, Json]): Edit {
  return (part) => {
    if ("fields" in part) part.fields.push([key, value]);
    else if ("items" in part) part.items.push(value);
    else become(part, { fields: [[key, value]] });
  };
}

function removeOne(at: number): Edit {
  return (part) => {
    const inner = "fields" in part ? part.fields : "items" in part ? part.items : [];
    if (inner.length > 0) inner.splice(at % inner.length, 1);
    else become(part, { raw: "null" });
  };
}

/** JSON lets a key come twice; JavaScript keeps the last, others the first. */
function repeatKey([at, value]: [number, Json]): Edit {
  return (part) => {
    if (!("fields" in part) || part.fields.length === 0) return become(part, value);
    part.fields.push([part.fields[at % part.fields.length][0], value]);
  };
}

function rename([at, key]: [number, string]): Edit {
  return (part) => {
    if (!("fields" in part) || part.fields.length === 0) return become(part, written(key));
    part.fields[at % part.fields.length][0] = key;
  };
}

function nest([depth, named]: [number, boolean]): Edit {
  const [open, close] = named ? ['{"a":', "}"] : ["[", "]"];
  return (part) => become(part, { raw: open.repeat(depth) + "1" + close.repeat(depth) });
}

function multiply(times: number): Edit {
  return (part) => {
    const one = textOf("items" in part && part.items.length > 0 ? part.items[0] : part);
    const copies = Array(Math.min(times, Math.ceil(LONGEST / one.length))).fill(one);
    become(part, { raw: `[${copies.join()}]` });
  };
}
