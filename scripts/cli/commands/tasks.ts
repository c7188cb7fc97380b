import type { Command } from "commander";
import { command, connect, explained, type Options, uuid, wholeNumberTo } from "../command.ts";
import { detailOf, type Explained, explanation } from "../explanation.ts";
import { EXIT, Failure } from "../exit_codes.ts";
import { type Filter, filtered, type FilterFlags, filterOf, isEmpty } from "../filter.ts";
import { type Column, paint, pairs, printOne, printRows, table } from "../output.ts";
import type { Project } from "../project.ts";
import { compact } from "../text.ts";
import { relative } from "../times.ts";
import { changes } from "./task_changes.ts";

/** A row of `find_tasks`. */
interface Found {
  id: string | null;
  type: string;
  status: string;
  attempts: number;
  max_attempts: number;
  created_at: string;
  run_at: string;
  started_at: string | null;
  completed_at: string | null;
  worker_id: string | null;
  error: string | null;
  cursor: string;
}

/** A row of `task_timeline`. */
interface Event {
  at: string;
  event: string;
  worker_id: string | null;
  attempt: number | null;
  detail: unknown;
}

type ListOptions = Options & FilterFlags & { limit: number; all?: boolean };

const PAGE = 1000;

export function tasks(program: Command): void {
  const parent = explained(
    program.command("tasks").description("Look at tasks, and at what becomes of them."),
    ["dibs tasks list --status failed", "dibs tasks redrive --type email --error '%503%'"],
  );
  list(parent);
  show(parent);
  explain(parent);
  changes(parent);
}

function list(parent: Command): void {
  filtered(command(parent, "list", "Tasks that fit, the newest first.", [
    "dibs tasks list --status failed --type email",
    "dibs tasks list --created-after 2h --payload '{\"tenant\": 4}'",
    "dibs tasks list --status failed --all --ndjson | jq -r .id",
  ]))
    .option("--limit <n>", "the most to show", wholeNumberTo(100_000), 50)
    .option("--all", "all there are")
    .action(async (options: ListOptions) => {
      const project = await connect(options);
      const filter = filterOf(options);
      const limit = options.all ? Infinity : options.limit;
      const found = await printRows(pages(project, filter, limit), COLUMNS, options);
      if (found === 0) nothing(filter);
    });
}

function show(parent: Command): void {
  command(
    parent,
    "show",
    "One task: what it is, why it stands where it does, and its life so far.",
    [
      "dibs tasks show 0198c0de-0000-7000-8000-000000000000",
      "dibs tasks show --json <id> | jq .task.payload",
    ],
  )
    .argument("<id>", "its id", uuid)
    .action(async (id: string, options: Options) => {
      const project = await connect(options);
      const task = await project.task(id);
      if (!task) throw new Failure(EXIT.nothing, `No task has the id ${id}.`);
      const [why] = await project.read<Explained[]>("explain_task", { p_id: id });
      const timeline = await project.read<Event[]>("task_timeline", { p_id: id });
      await printOne(
        { task, why, timeline },
        options,
        () => [toldOf(task), explanation(why), table(EVENTS, timeline)].join("\n\n"),
      );
    });
}

function explain(parent: Command): void {
  command(parent, "explain", "Why a task is not being worked on, and what would change it.", [
    "dibs tasks explain 0198c0de-0000-7000-8000-000000000000",
  ])
    .argument("<id>", "its id", uuid)
    .action(async (id: string, options: Options) => {
      const project = await connect(options);
      const [why] = await project.read<Explained[]>("explain_task", { p_id: id });
      if (why.state === "unknown") throw new Failure(EXIT.nothing, `No task has the id ${id}.`);
      await printOne(why, options, () => explanation(why));
    });
}

/** A filter that fits nothing is worth an exit code; an empty queue is not. */
function nothing(filter: Filter): void {
  if (!isEmpty(filter)) throw new Failure(EXIT.nothing, "No task fits.");
}

async function* pages(project: Project, filter: Filter, limit: number): AsyncGenerator<Found[]> {
  let left = limit;
  let before: string | null = null;
  while (left > 0) {
    const p_limit = Math.min(left, PAGE);
    const args = { p_filter: filter, p_limit, p_before: before };
    const rows: Found[] = await project.read<Found[]>("find_tasks", args);
    // A last row without an id only says how far it looked, and that there is more.
    const page = rows.filter(({ id }) => id !== null);
    yield page;
    const isLast = page.length === rows.length && page.length < p_limit;
    if (isLast) return;
    left -= page.length;
    before = rows.at(-1)!.cursor;
  }
}

export function paintStatus(status: string): string {
  const colours: Record<string, (text: string) => string> = {
    failed: paint.red,
    processing: paint.cyan,
    completed: paint.green,
    cancelled: paint.dim,
  };
  return (colours[status] ?? String)(status);
}

const COLUMNS: Column<Found>[] = [
  { title: "ID", of: ({ id }) => id!, whole: true },
  { title: "STATUS", of: ({ status }) => status, paint: paintStatus },
  { title: "TYPE", of: ({ type }) => type },
  { title: "TRIES", of: (row) => `${row.attempts}/${row.max_attempts}`, align: "right" },
  { title: "WHEN", of: when },
  { title: "WORKER", of: ({ worker_id }) => worker_id ?? "" },
  { title: "ERROR", of: ({ error }) => error ?? "" },
];

function when({ status, run_at, started_at, completed_at }: Found): string {
  if (status === "pending") return relative(run_at);
  return relative(status === "processing" ? started_at : completed_at);
}

const EVENTS: Column<Event>[] = [
  { title: "WHEN", of: ({ at }) => relative(at) },
  { title: "EVENT", of: ({ event }) => event },
  { title: "TRY", of: ({ attempt }) => String(attempt ?? ""), align: "right" },
  { title: "WORKER", of: ({ worker_id }) => worker_id ?? "" },
  { title: "DETAIL", of: ({ detail }) => detailOf(detail) },
];

function toldOf(task: Record<string, unknown>): string {
  const told = Object.entries(task).filter(([, value]) => value !== null).map(([name, value]) => [
    name.replaceAll("_", " "),
    name.endsWith("_at") ? `${relative(String(value))} (${value})` : compact(value),
  ]);
  return pairs(Object.fromEntries(told));
}
