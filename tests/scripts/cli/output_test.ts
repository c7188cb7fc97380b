import assert from "node:assert/strict";
import { type Column, cut, table } from "../../../scripts/cli/output.ts";

interface Row {
  id: string;
  name: string;
  error: string;
}

const COLUMNS: Column<Row>[] = [
  { title: "ID", of: ({ id }) => id, whole: true },
  { title: "NAME", of: ({ name }) => name },
  { title: "ERROR", of: ({ error }) => error, align: "right" },
];
const ROWS = [
  { id: "0123456789", name: "名前名前名前", error: "HTTP 503" },
  { id: "1", name: "b", error: "a long error that goes on and on" },
];

Deno.test("a table is as wide as it has to be, wide characters counted as two", () => {
  assert.equal(
    table(COLUMNS, ROWS, Infinity),
    "ID          NAME                                     ERROR\n" +
      "0123456789  名前名前名前                          HTTP 503\n" +
      "1           b             a long error that goes on and on",
  );
});

Deno.test("where it is too wide the widest columns are cut, ids never, and the last ones go", () => {
  assert.equal(
    table(COLUMNS, ROWS, 36),
    "ID          NAME               ERROR\n" +
      "0123456789  名前名前名…     HTTP 503\n" +
      "1           b            a long err…",
  );
  assert.equal(table(COLUMNS, ROWS, 20), "ID          NAME\n0123456789  名前名…\n1           b");
  assert.equal(table(COLUMNS, ROWS, 4), "ID\n0123456789\n1");
});

Deno.test("a text is cut between characters, by how wide they are", () => {
  assert.equal(cut("short", 5), "short");
  assert.equal(cut("shorter", 5), "shor…");
  assert.equal(cut("名前名前", 5), "名前…");
  assert.equal(cut("名前名前", 4), "名…");
  assert.equal(cut("👩‍👩‍👧👩‍👩‍👧", 3), "👩‍👩‍👧…");
});
