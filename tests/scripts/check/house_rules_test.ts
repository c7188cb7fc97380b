import assert from "node:assert/strict";
import { emptyNames, tooLong, untidySql } from "../../../scripts/check/house_rules.ts";

const lines = (count: number) => "x\n".repeat(count);

Deno.test("a file may have 300 lines, and more only with a reason in its head", () => {
  const reason = "// longer than 300 lines because its cases belong together\n";
  assert.deepEqual(
    tooLong([
      { path: "just.ts", text: lines(300) },
      { path: "excused.ts", text: reason + lines(300) },
      { path: "long.ts", text: lines(301) },
      { path: "excused_too_late.ts", text: lines(301) + reason },
    ]),
    ["long.ts has 301 lines", "excused_too_late.ts has 302 lines"],
  );
});

Deno.test("names that say nothing are found, as file and as folder", () => {
  const paths = [
    "functions/_shared/utils.ts",
    "scripts/helpers/port.ts",
    "functions/_shared/rpc.ts",
  ];
  assert.deepEqual(
    emptyNames(paths.map((path) => ({ path, text: "" }))),
    ["functions/_shared/utils.ts", "scripts/helpers/port.ts"],
  );
});

Deno.test("SQL may be 120 columns wide, without tabs and trailing blanks, and nothing else is looked at", () => {
  const untidy = `${"é".repeat(120)}\n${"é".repeat(121)}\n\tx\nx \n\n`;
  assert.deepEqual(
    untidySql([
      { path: "tidy.sql", text: "select 1;\n" },
      { path: "no.ts", text: untidy },
      { path: "untidy.sql", text: untidy },
    ]),
    [
      "untidy.sql:2 is 121 columns wide",
      "untidy.sql:3 has a tab",
      "untidy.sql:4 ends in a blank",
      "untidy.sql must end in one line break",
    ],
  );
});
