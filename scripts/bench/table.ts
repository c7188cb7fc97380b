import Table from "cli-table3";
import { type Goal, verdict } from "./goals.ts";
import type { Spread } from "./spread.ts";
import type { Line } from "./summary.ts";

interface Column {
  title: string;
  figure: string;
  show(spread: Spread): string;
}

const COLUMNS: Column[] = [
  { title: "tasks/s", figure: "tasks_per_second", show: ({ median }) => whole(median) },
  { title: "× guide", figure: "against_guide", show: range },
  { title: "× limit", figure: "against_limit", show: range },
  { title: "× pgmq", figure: "against_pgmq", show: range },
  { title: "× no limit", figure: "against_dibs_no_limit", show: range },
  { title: "call ms\np50", figure: "call_p50_ms", show: middle },
  { title: "p99", figure: "call_p99_ms", show: middle },
  { title: "WAL\nB/task", figure: "wal_bytes_per_task", show: ({ median }) => whole(median) },
  { title: "left\nB/task", figure: "bytes_left_per_task", show: ({ median }) => whole(median) },
  { title: "dead rows\n/task", figure: "dead_rows_per_task", show: middle },
  {
    title: "at the end\ntasks/s",
    figure: "last_tenth_per_second",
    show: ({ median }) => whole(median),
  },
  { title: "last tenth\n÷ first", figure: "last_tenth_against_first", show: range },
  { title: "call, first\n÷ last", figure: "last_tenth_call_against_first", show: range },
  { title: "bulk ÷\none by one", figure: "bulk_against_one_by_one", show: range },
  { title: "until done\nms", figure: "until_done_ms", show: range },
  { title: "rows\n/task", figure: "rows_written_per_task", show: middle },
  { title: "index entries\n/task", figure: "index_entries_per_task", show: middle },
  {
    title: "WAL B/task\nto enqueue",
    figure: "wal_to_enqueue_per_task",
    show: ({ median }) => whole(median),
  },
  {
    title: "WAL B/task\nto work",
    figure: "wal_to_work_per_task",
    show: ({ median }) => whole(median),
  },
  { title: "ready\npages", figure: "ready_pages", show: ({ median }) => whole(median) },
  { title: "its index\npages", figure: "ready_index_pages", show: ({ median }) => whole(median) },
  { title: "lease\npages", figure: "lease_pages", show: ({ median }) => whole(median) },
  { title: "heap-only\nrenewals", figure: "heap_only_renewals", show: middle },
  { title: "÷ tasks/s\nwithout", figure: "rate_against_without", show: range },
  { title: "longest\ncall ms", figure: "call_longest_ms", show: ({ median }) => whole(median) },
  { title: "purge\ns", figure: "purge_seconds", show: middle },
  { title: "size when\nfilled again", figure: "size_filled_again", show: range },
  { title: "status\nms", figure: "status_ms", show: middle },
  { title: "before\nthe look", figure: "status_before_look_ms", show: middle },
  { title: "look\nms", figure: "look_ms", show: middle },
  { title: "kills", figure: "kills", show: ({ median }) => whole(median) },
  // One is too many, in whichever repeat.
  { title: "overlaps of the\nlimited key", figure: "overlaps", show: ({ max }) => whole(max) },
  { title: "done\nof it", figure: "limited_done", show: ({ median }) => whole(median) },
  { title: "by id ms\np50", figure: "lookup_p50_ms", show: middle },
  { title: "latency ms\np50", figure: "latency_p50_ms", show: range },
  { title: "p99", figure: "latency_p99_ms", show: range },
  { title: "calls per\n1000 tasks", figure: "calls_per_1000_tasks", show: middle },
  { title: "wakes", figure: "wake_calls", show: range },
  { title: "calls\nwhile idle", figure: "calls_while_idle", show: range },
  { title: "first paint\nms", figure: "first_paint_ms", show: range },
  { title: "largest\nms", figure: "largest_paint_ms", show: range },
  { title: "data shown\nms", figure: "shown_ms", show: range },
  ...[1, 10, 100].flatMap((batch) => [
    { title: `claim ${batch}\nms p50`, figure: `claim_b${batch}_p50_ms`, show: middle },
    { title: "p99", figure: `claim_b${batch}_p99_ms`, show: middle },
  ]),
];

/** The tables for people: one per workload, a line per contender and cell. */
export function renderTable(lines: Line[]): string {
  return Map.groupBy(lines, ({ workload }) => workload).values().map(renderWorkload).toArray()
    .join("\n");
}

function renderWorkload(lines: Line[]): string {
  return render(lineRows(lines), 2);
}

/** The rows of a workload's table, its head first; of all figures there are, or of these. */
export function lineRows(lines: Line[], wanted?: string[]): string[][] {
  const columns = COLUMNS.filter(({ figure }) =>
    lines.some(({ figures }) => figure in figures) && (wanted?.includes(figure) ?? true)
  );
  let above = "";
  return [
    [lines[0]?.workload ?? "", "", ...columns.map(({ title }) => title)],
    ...lines.map(({ cell, contender, figures }) => {
      const name = cell === above ? "" : cell;
      above = cell;
      const shown = columns.map(({ figure, show }) => figures[figure] ? show(figures[figure]) : "");
      return [name, contender, ...shown];
    }),
  ];
}

/** What Dibs wants to be good at, and how good it is. */
export function renderGoals(goals: Goal[]): string {
  return render(goalRows(goals), 1);
}

/** The rows of that table, its head first. */
export function goalRows(goals: Goal[]): string[][] {
  return [
    ["goal", "measured", "reach", "beyond", ""],
    ...goals.map((goal) => {
      const sign = goal.beyond > goal.reach ? "≥" : "≤";
      return [
        goal.measure,
        range({ median: goal.value, min: goal.min, max: goal.max }),
        `${sign} ${goal.reach}`,
        `${sign} ${goal.beyond}`,
        verdict(goal),
      ];
    }),
  ];
}

function render([head, ...rows]: string[][], texts: number): string {
  const table = newTable(head, texts);
  table.push(...rows);
  return table.toString();
}

function newTable(head: string[], texts: number) {
  return new Table({
    head,
    colAligns: head.map((_, i) => i < texts ? "left" : "right"),
    style: { head: [], border: [], compact: true },
  });
}

function range({ median, min, max }: Spread): string {
  return `${short(median)} (${short(min)}–${short(max)})`;
}

function middle({ median }: Spread): string {
  return short(median);
}

function short(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}
