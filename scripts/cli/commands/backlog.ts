import type { Command } from "commander";
import { number } from "../../numbers.ts";
import { command, connect, type Options } from "../command.ts";
import { type Column, printRows } from "../output.ts";
import { relative } from "../times.ts";

/** A row of `task_backlog`. */
export interface Backlog {
  type: string;
  key: string | null;
  due: number;
  later: number;
  /** Not all were counted. */
  more: boolean;
  oldest_due_at: string | null;
  running: number;
}

export function backlog(program: Command): void {
  command(program, "backlog", "What waits and what runs, by type, or by key of a type.", [
    "dibs backlog",
    "dibs backlog email",
    "dibs backlog --ndjson | jq -r 'select(.running == 0).type'",
  ])
    .argument("[type]", "show the keys of this type")
    .action(async (type: string | undefined, options: Options) => {
      const project = await connect(options);
      const rows = await project.read<Backlog[]>("task_backlog", { p_type: type ?? null });
      await printRows([rows], type === undefined ? BY_TYPE : BY_KEY, options);
    });
}

const FIGURES: Column<Backlog>[] = [
  { title: "DUE", of: ({ due, more }) => number(due) + (more ? "+" : ""), align: "right" },
  { title: "OLDEST", of: ({ oldest_due_at }) => relative(oldest_due_at), align: "right" },
  { title: "LATER", of: ({ later, more }) => number(later) + (more ? "+" : ""), align: "right" },
  { title: "RUNNING", of: ({ running }) => number(running), align: "right" },
];

export const BY_TYPE: Column<Backlog>[] = [{ title: "TYPE", of: ({ type }) => type }, ...FIGURES];

const BY_KEY: Column<Backlog>[] = [{ title: "KEY", of: ({ key }) => key ?? "none" }, ...FIGURES];
