import { BY_TYPE } from "../commands/backlog.ts";
import { PROGRESS } from "../commands/claims.ts";
import { DISPATCHES } from "../commands/dispatches.ts";
import { GATES, readGates } from "../commands/gates.ts";
import { type Column, paint } from "../output.ts";
import type { Project } from "../project.ts";
import { relative } from "../times.ts";

// deno-lint-ignore no-explicit-any -- each panel reads rows of its own kind, and only it tells them
export type Row = any;

/** What the lower part of the screen may show. */
export interface Panel {
  key: string;
  title: string;
  columns: Column<Row>[];
  read(project: Project): Promise<Row[]>;
}

/** A row of `workers`. */
interface Worker {
  worker_id: string;
  tasks: number;
  rows: number;
  works_on: string[];
  since: string;
  lease_expires_at: string;
}

const WORKERS: Column<Worker>[] = [
  { title: "WORKER", of: ({ worker_id }) => worker_id },
  { title: "TASKS", of: ({ tasks }) => String(tasks), align: "right" },
  { title: "ROWS", of: ({ rows }) => String(rows), align: "right" },
  { title: "SINCE", of: ({ since }) => relative(since) },
  {
    title: "LEASE ENDS",
    of: ({ lease_expires_at }) => relative(lease_expires_at),
    paint: (text, { lease_expires_at }) =>
      Date.parse(lease_expires_at) < Date.now() ? paint.red(text) : text,
  },
  { title: "WORKS ON", of: ({ works_on }) => works_on?.join(", ") ?? "" },
];

export const PANELS: Panel[] = [
  { key: "w", title: "Workers", columns: WORKERS, read: (project) => project.read("workers") },
  { key: "t", title: "Types", columns: BY_TYPE, read: (project) => project.read("task_backlog") },
  {
    key: "c",
    title: "Claims",
    columns: PROGRESS,
    read: (project) => project.read("claim_progress"),
  },
  { key: "g", title: "Gates", columns: GATES, read: readGates },
  {
    key: "d",
    title: "Dispatches",
    columns: DISPATCHES,
    read: (project) => project.read("dispatches", { p_limit: 100 }),
  },
];
