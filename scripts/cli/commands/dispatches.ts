import type { Command } from "commander";
import { command, connect, type Options, wholeNumberTo } from "../command.ts";
import { type Column, paint, printRows } from "../output.ts";
import { relative } from "../times.ts";

/** A row of `dispatches`. */
export interface Dispatch {
  id: string;
  reason: string;
  state: string;
  made_at: string;
  problem: string | null;
  types: string[] | null;
  drains: number | null;
}

export function dispatches(program: Command): void {
  command(
    program,
    "dispatches",
    "Calls to the function dispatch and what became of them, newest first.",
    [
      "dibs dispatches",
      "dibs dispatches --limit 500 --ndjson | jq -r 'select(.problem).problem' | sort | uniq -c",
    ],
  )
    .option("--limit <n>", "the most to show", wholeNumberTo(1000), 50)
    .action(async (options: Options & { limit: number }) => {
      const project = await connect(options);
      const rows = await project.read<Dispatch[]>("dispatches", { p_limit: options.limit });
      await printRows([rows], DISPATCHES, options);
    });
}

const FAILED = ["refused", "timed_out", "lost"];

export const DISPATCHES: Column<Dispatch>[] = [
  { title: "ID", of: ({ id }) => String(id) },
  { title: "WHEN", of: ({ made_at }) => relative(made_at) },
  { title: "REASON", of: ({ reason }) => reason },
  {
    title: "STATE",
    of: ({ state }) => state,
    paint: (text, { state }) => FAILED.includes(state) ? paint.red(text) : text,
  },
  { title: "DRAINS", of: ({ drains }) => String(drains ?? ""), align: "right" },
  { title: "TYPES", of: ({ types }) => types?.join(", ") ?? "" },
  { title: "PROBLEM", of: ({ problem }) => problem ?? "" },
];
