import { number } from "../../numbers.ts";
import { cut, paint, table } from "../output.ts";
import type { Project } from "../project.ts";
import { plain } from "../text.ts";
import { lasting } from "../times.ts";
import type { View } from "./look.ts";
import { type Panel, PANELS } from "./panels.ts";

export interface Picture {
  project: Project;
  panel: Panel;
  view: View;
  /** Why the last look failed, if it did. */
  problem: string;
  interval: number;
}

export interface Size {
  columns: number;
  rows: number;
}

/** The whole screen: never more lines than it has, and none wider. */
export function draw(picture: Picture, size: Size): string[] {
  const head = headOf(picture, size.columns);
  const foot = footOf(picture, size.columns);
  const room = Math.max(0, size.rows - head.length - foot.length);
  const body = bodyOf(picture, size.columns, room);
  const empty = Array<string>(Math.max(0, room - body.length)).fill("");
  return [...head, ...body, ...empty, ...foot].slice(0, size.rows);
}

function headOf({ project, view }: Picture, columns: number): string[] {
  const { status, perSecond } = view;
  const { tasks, expired, dispatch } = status;
  const rate = (value: number | undefined) => value === undefined ? "…" : value.toFixed(1);
  const troubles = [
    expired.tasks + expired.thoughts > 0
      ? `${expired.tasks + expired.thoughts} leases expired`
      : [],
    status.parked_effects > 0 ? `${status.parked_effects} effects parked` : [],
    dispatch.failed > 0 ? `${dispatch.failed} dispatches failed in a row` : [],
    pausedOf(view),
  ].flat();
  const trouble = cut(troubles.join(", "), columns);
  return [
    paint.bold(cut(`dibs · ${project.name} · ${clock(status.now)}`, columns)),
    "",
    cut(
      `Tasks    ${number(tasks.pending)} pending  ${number(tasks.processing)} processing  ` +
        `${number(tasks.failed)} failed  ${number(tasks.completed)} completed`,
      columns,
    ),
    cut(
      `Rates    ${rate(perSecond?.completed)} completed/s  ${rate(perSecond?.failed)} failed/s`,
      columns,
    ),
    cut(
      `Oldest   ${
        status.oldest_due_seconds === null
          ? "nothing waits"
          : `due for ${lasting(status.oldest_due_seconds)}`
      }`,
      columns,
    ),
    trouble ? paint.yellow(trouble) : "",
    "",
  ];
}

function pausedOf({ status }: View): string[] {
  const paused = [...status.gates, ...status.claim_gates].filter((gate) => gate.paused_at);
  return paused.length > 0 ? [`${paused.length} paused`] : [];
}

function bodyOf({ panel, view }: Picture, columns: number, room: number): string[] {
  const title = `${panel.title} (${view.rows.length})`;
  if (view.rows.length === 0) return [paint.bold(title), "", paint.dim("None.")];
  const fitting = Math.max(0, room - 2);
  const shown = view.rows.slice(0, fitting);
  const hidden = view.rows.length - shown.length;
  return [
    paint.bold(hidden > 0 ? `${title}, the first ${shown.length}` : title),
    ...table(panel.columns, shown, columns).split("\n"),
  ];
}

function footOf({ panel, problem, interval }: Picture, columns: number): string[] {
  const keys = PANELS.map((one) => {
    const name = `${one.key} ${one.title}`;
    return one === panel ? `[${name}]` : name;
  });
  const told = problem ? cut(plain(problem), columns) : "";
  return [
    problem ? paint.red(told) : "",
    paint.inverse(
      cut(`${keys.join("  ")}  q Leave  every ${interval} s`, columns).padEnd(columns),
    ),
  ];
}

function clock(moment: string): string {
  return `${new Date(moment).toISOString().slice(11, 19)} UTC`;
}
