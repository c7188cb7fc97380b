import Table from "cli-table3";
import pc from "picocolors";
import stringWidth from "string-width";
import { jsonText, plain } from "./text.ts";

export interface Format {
  json?: boolean;
  ndjson?: boolean;
}

/** A column of a table for people. */
export interface Column<Row> {
  title: string;
  of(row: Row): string;
  align?: "right";
  /** Never cut: ids, that are there to be copied. */
  whole?: boolean;
  paint?(text: string, row: Row): string;
}

const GAP = 2;
const NARROWEST = 6;

/** Colours are for terminals; NO_COLOR and FORCE_COLOR say otherwise. */
export const paint = pc.createColors(isColoured());

/** How wide lines may be. A pipe takes them whole, unless COLUMNS says how wide its reader is. */
export function columnsOfOutput(): number {
  if (Deno.stdout.isTerminal()) return Deno.consoleSize().columns;
  return Number(Deno.env.get("COLUMNS")) || Infinity;
}

/** Data, on standard output. Whoever reads it may stop at any time. */
export async function print(text: string): Promise<void> {
  let bytes = new TextEncoder().encode(text + "\n");
  try {
    while (bytes.length > 0) bytes = bytes.subarray(await Deno.stdout.write(bytes));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
    throw error;
  }
}

/** Talk, on standard error. */
export function say(text: string): void {
  console.error(text);
}

/** What was done: a sentence for people, for machines what the function answered. */
export async function printDone(value: unknown, format: Format, sentence: string): Promise<void> {
  await printOne(value, format, () => plain(sentence));
}

/** One answer: for people as `told` says, for machines as it is. */
export async function printOne(value: unknown, format: Format, told: () => string): Promise<void> {
  if (format.json) await print(jsonText(value, 2));
  else if (format.ndjson) await print(jsonText(value));
  else await print(told());
}

/** Rows, page by page. Returns how many there were. */
export async function printRows<Row>(
  pages: Iterable<Row[]> | AsyncIterable<Row[]>,
  columns: Column<Row>[],
  format: Format,
): Promise<number> {
  const rows: Row[] = [];
  let count = 0;
  for await (const page of pages) {
    count += page.length;
    if (!format.ndjson) rows.push(...page);
    else if (page.length > 0) await print(page.map((row) => jsonText(row)).join("\n"));
  }
  if (format.json) await print(jsonText(rows, 2));
  else if (!format.ndjson && count > 0) await print(table(columns, rows));
  return count;
}

/** Without rules, cut to the width: one row is one line. */
export function table<Row>(
  columns: Column<Row>[],
  rows: Row[],
  width = columnsOfOutput(),
): string {
  const cells = rows.map((row) => columns.map((column) => plain(column.of(row))));
  const widths = fit(
    columns.map((column, n) => ({
      width: Math.max(
        ...[column.title, ...cells.map((row) => row[n])].map((text) => stringWidth(text)),
      ),
      whole: column.whole,
    })),
    width,
  );
  const shown = columns.map((column, n) => ({ column, n })).slice(0, widths.length);
  const drawn = new Table({
    chars: NO_RULES,
    colWidths: widths,
    colAligns: shown.map(({ column }) => column.align ?? "left"),
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  drawn.push(shown.map(({ column }) => paint.dim(column.title)));
  for (const [index, row] of rows.entries()) {
    drawn.push(shown.map(({ column, n }) => {
      const text = cells[index][n];
      return column.paint ? column.paint(text, row) : text;
    }));
  }
  return drawn.toString().split("\n").map((line) => line.trimEnd()).join("\n");
}

/** Names and values, in two columns. */
export function pairs(values: Record<string, string>, width = columnsOfOutput()): string {
  const told = Object.entries(values).filter(([, value]) => value !== "");
  const longest = Math.max(...told.map(([name]) => name.length));
  return told.map(([name, value]) => {
    const text = cut(plain(value), width - longest - GAP);
    return `${paint.dim(name.padEnd(longest))}  ${text}`;
  }).join("\n");
}

/** As much of a text as fits, told by how wide it is on a terminal. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = "";
  let taken = 1;
  for (const { segment } of SEGMENTS.segment(text)) {
    taken += stringWidth(segment);
    if (taken > width) break;
    kept += segment;
  }
  return kept + "…";
}

const SEGMENTS = new Intl.Segmenter();

/** Takes from the widest until all fit; where even the narrowest do not, the last column goes. */
function fit(columns: { width: number; whole?: boolean }[], width: number): number[] {
  const widths = columns.map((column) => column.width);
  const total = () => widths.reduce((sum, one) => sum + one + GAP, -GAP);
  while (total() > width) {
    const flexible = widths.map((one, n) => columns[n].whole ? 0 : one);
    const widest = flexible.indexOf(Math.max(...flexible));
    if (flexible[widest] > NARROWEST) widths[widest]--;
    else if (columns.length > 1) return fit(columns.slice(0, -1), width);
    else break;
  }
  return widths;
}

function isColoured(): boolean {
  if (Deno.env.get("NO_COLOR")) return false;
  const forced = Deno.env.get("FORCE_COLOR");
  if (forced) return forced !== "0";
  return Deno.stdout.isTerminal() && Deno.env.get("TERM") !== "dumb";
}

const NO_RULES = Object.fromEntries(
  [
    ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left"],
    ...["bottom-right", "left", "left-mid", "mid", "mid-mid", "right", "right-mid"],
  ].map((name) => [name, ""]).concat([["middle", " ".repeat(GAP)]]),
);
