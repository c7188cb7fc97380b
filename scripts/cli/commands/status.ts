import type { Command } from "commander";
import { count, number } from "../../numbers.ts";
import { command, connect, type Options } from "../command.ts";
import { paint, pairs, printOne, table } from "../output.ts";
import { lasting, relative } from "../times.ts";

/** What `dibs_status()` answers, as far as it is told to people. */
export interface Status {
  version: { database: string };
  now: string;
  tasks: Record<string, number>;
  oldest_due_seconds: number | null;
  gates: { paused_at: string | null }[];
  claim_gates: { paused_at: string | null }[];
  thoughts: WorkCounts[];
  sources: (WorkCounts & { source: string })[];
  workers: { worker_id: string; tasks: number; thoughts: number; lease_expires_at: string }[];
  expired: { tasks: number; thoughts: number };
  schedules: { name: string; paused: boolean; next_tick: string | null; problem: string | null }[];
  parked_effects: number;
  dispatch: {
    failed: number;
    rest_until: string | null;
    invocations: number;
    invocations_left: number | null;
  };
}

const STATUSES = ["pending", "processing", "completed", "failed", "cancelled"];

interface WorkCounts {
  work_type: string;
  claimed: number;
  succeeded: number;
  failed: number;
}

export function status(program: Command): void {
  command(program, "status", "How things are: tasks, claims, workers, and what is out of order.", [
    "dibs status",
    "dibs status --json | jq .tasks.failed",
  ]).action(async (options: Options) => {
    const project = await connect(options);
    const status = await project.read<Status>("dibs_status");
    await printOne(status, options, () => toldOf(status));
  });
}

function toldOf(status: Status): string {
  const { tasks, expired, dispatch } = status;
  const now = Date.parse(status.now);
  const head = pairs({
    tasks: STATUSES.map((name) => `${number(tasks[name])} ${name}`).join(", "),
    "oldest due": status.oldest_due_seconds === null
      ? "nothing waits"
      : `${lasting(status.oldest_due_seconds)} ago`,
    workers: count(status.workers.length, "worker"),
    "expired leases": expired.tasks + expired.thoughts === 0
      ? ""
      : `${count(expired.tasks, "task")}, ${count(expired.thoughts, "thought")}`,
    paused: pausedOf(status),
    schedules: schedulesOf(status),
    "parked effects": status.parked_effects === 0 ? "" : number(status.parked_effects),
    dispatch: dispatch.failed === 0 ? "" : `${count(dispatch.failed, "call")} failed in a row` +
      (dispatch.rest_until ? `, rests until ${relative(dispatch.rest_until, now)}` : ""),
    "calls this month": number(dispatch.invocations) +
      (dispatch.invocations_left === null ? "" : `, ${number(dispatch.invocations_left)} left`),
    version: status.version.database,
  });
  const work = [
    ...status.thoughts.map((one) => ({ source: "thoughts", ...one })),
    ...status.sources,
  ];
  return [
    head,
    work.length === 0 ? [] : table([
      { title: "SOURCE", of: (row) => row.source },
      { title: "WORK TYPE", of: (row) => row.work_type },
      { title: "CLAIMED", of: (row) => number(row.claimed), align: "right" },
      { title: "SUCCEEDED", of: (row) => number(row.succeeded), align: "right" },
      {
        title: "FAILED",
        of: (row) => number(row.failed),
        align: "right",
        paint: (text, row) => row.failed > 0 ? paint.red(text) : text,
      },
    ], work),
  ].flat().join("\n\n");
}

function pausedOf({ gates, claim_gates }: Status): string {
  const paused = [...gates, ...claim_gates].filter(({ paused_at }) => paused_at !== null);
  return paused.length === 0 ? "" : `${paused.length}; see dibs gates`;
}

function schedulesOf({ schedules }: Status): string {
  if (schedules.length === 0) return "";
  const troubled = schedules.filter(({ problem }) => problem !== null);
  return String(schedules.length) +
    (troubled.length > 0 ? `, ${troubled.length} with a problem` : "");
}
