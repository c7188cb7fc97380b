import Table from "cli-table3";
import type { Line, Spread } from "./summary.ts";

const COLUMNS: { title: string; figure: string; show: (spread: Spread) => string }[] = [
  { title: "tasks/s", figure: "tasks_per_second", show: ({ median }) => whole(median) },
  { title: "× guide", figure: "against_guide", show: ratio },
  { title: "× limit", figure: "against_limit", show: ratio },
  { title: "WAL\nB/task", figure: "wal_bytes_per_task", show: ({ median }) => whole(median) },
  { title: "left\nB/task", figure: "bytes_left_per_task", show: ({ median }) => whole(median) },
  {
    title: "dead rows\n/task",
    figure: "dead_rows_per_task",
    show: ({ median }) => median.toFixed(2),
  },
  { title: "last tenth\n÷ first", figure: "last_tenth_against_first", show: ratio },
  { title: "bulk ÷\none by one", figure: "bulk_against_one_by_one", show: ratio },
];

/** The table for people: a line per contender and cell. */
export function renderTable(lines: Line[]): string {
  const columns = COLUMNS.filter(({ figure }) => lines.some(({ figures }) => figure in figures));
  const table = new Table({
    head: ["", "", ...columns.map(({ title }) => title)],
    colAligns: ["left", "left", ...columns.map(() => "right" as const)],
    style: { head: [], border: [], compact: true },
  });
  let above = "";
  for (const { workload, cell, contender, figures } of lines) {
    const measure = `${workload} ${cell}`;
    table.push([
      measure === above ? "" : measure,
      contender,
      ...columns.map(({ figure, show }) => figures[figure] ? show(figures[figure]) : ""),
    ]);
    above = measure;
  }
  return table.toString();
}

function ratio({ median, min, max }: Spread): string {
  return `${short(median)} (${short(min)}–${short(max)})`;
}

function short(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}
