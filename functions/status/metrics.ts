import type { Family, Sample } from "../_shared/prometheus.ts";
import type { Status } from "../_shared/schemas.ts";
import { bounded, OTHER } from "./bounded.ts";

/** The state of the whole as metrics. No label has an id, a worker or a key in it. */
export function metricsOf(status: Status): Family[] {
  return [...tasks(status), ...claims(status), ...dispatch(status), ...schedules(status)];
}

function tasks({ version, tasks, oldest_due_seconds, parked_effects, ...status }: Status) {
  const versions = { database: version.database, functions: version.functions ?? "" };
  return [
    gauge("dibs_build_info", "Which Dibs the database and the functions are of; always 1.", [
      { labels: versions, value: 1 },
    ]),
    gauge(
      "dibs_tasks",
      "Tasks by status.",
      Object.entries(tasks ?? {}).map(([status, value]) => ({ labels: { status }, value })),
    ),
    gauge(
      "dibs_task_oldest_due_seconds",
      "For how long the oldest due task has waited; 0 when none does.",
      [{ value: oldest_due_seconds ?? 0 }],
    ),
    gauge("dibs_workers", "Workers that hold tasks or thoughts.", [{
      value: status.workers.length,
    }]),
    gauge(
      "dibs_leases_expired",
      "What workers that are gone held, tasks and claims, and the next tick takes back.",
      [
        { labels: { kind: "tasks" }, value: status.expired.tasks },
        {
          labels: { kind: "claims" },
          value: status.expired.thoughts + sum(status.sources.map(({ expired }) => expired)),
        },
      ],
    ),
    gauge("dibs_effects_parked", "Effects of which nobody knows whether they happened.", [
      { value: parked_effects },
    ]),
    gauge("dibs_gates_paused", "Types, keys and kinds of work that somebody has paused.", [
      { labels: { kind: "tasks" }, value: paused(status.gates) },
      { labels: { kind: "claims" }, value: paused(status.claim_gates) },
    ]),
  ];
}

function claims({ thoughts, sources }: Status): Family[] {
  const kinds = [...thoughts.map((kind) => ({ source: "thoughts", ...kind })), ...sources];
  const samples = bounded(kinds, countOf, togetherOf).flatMap((kind) =>
    STATUSES.map((status): Sample => ({
      labels: { source: kind.source, work_type: kind.work_type, status },
      value: kind[status],
    }))
  );
  return [gauge("dibs_claims", "Claims by source, kind of work and status.", samples)];
}

const STATUSES = ["claimed", "succeeded", "failed"] as const;
type KindOfClaims =
  & { source: string; work_type: string }
  & Record<typeof STATUSES[number], number>;

function countOf(kind: KindOfClaims): number {
  return sum(STATUSES.map((status) => kind[status]));
}

function togetherOf(kinds: KindOfClaims[]): KindOfClaims {
  const of = (status: typeof STATUSES[number]) => sum(kinds.map((kind) => kind[status]));
  return {
    source: OTHER,
    work_type: OTHER,
    claimed: of("claimed"),
    succeeded: of("succeeded"),
    failed: of("failed"),
  };
}

function dispatch({ dispatch }: Status): Family[] {
  const { failed, rest_until, invocations, invocations_left } = dispatch;
  return [
    gauge(
      "dibs_dispatch_failed_in_a_row",
      "How many of the latest calls to dispatch failed in a row.",
      [{ value: failed }],
    ),
    gauge(
      "dibs_dispatch_rest_until_timestamp_seconds",
      "No call to dispatch is made until then; 0 when none is held back.",
      [{ value: rest_until === null ? 0 : seconds(rest_until) }],
    ),
    {
      name: "dibs_invocations_total",
      type: "counter",
      help: "Calls of dispatch and drain; begins anew with each month of UTC.",
      samples: [{ value: invocations }],
    },
    gauge(
      "dibs_invocations_left",
      "Calls that are left of this month's, where there is a limit.",
      invocations_left === null ? [] : [{ value: invocations_left }],
    ),
  ];
}

function schedules({ schedules }: Status): Family[] {
  const of = (valueOf: (schedule: Status["schedules"][number]) => number | undefined) =>
    schedules.flatMap((schedule): Sample[] => {
      const value = valueOf(schedule);
      return value === undefined ? [] : [{ labels: { schedule: schedule.name }, value }];
    });
  return [
    gauge(
      "dibs_schedule_next_tick_timestamp_seconds",
      "When a recurring schedule is due next; the first hundred by that.",
      of(({ next_tick }) => seconds(next_tick)),
    ),
    gauge(
      "dibs_schedule_last_tick_timestamp_seconds",
      "The last tick of a recurring schedule that was seen to.",
      of(({ last_tick }) => last_tick === null ? undefined : seconds(last_tick)),
    ),
    gauge(
      "dibs_schedule_paused",
      "1 while a recurring schedule is paused.",
      of(({ paused }) => Number(paused)),
    ),
    gauge(
      "dibs_schedule_has_problem",
      "1 when a recurring schedule could not enqueue its task; status says why.",
      of(({ problem }) => Number(problem !== null)),
    ),
  ];
}

function gauge(name: string, help: string, samples: Sample[]): Family {
  return { name, type: "gauge", help, samples };
}

function paused(gates: Record<string, unknown>[]): number {
  return gates.filter(({ paused_at }) => paused_at !== null).length;
}

function seconds(moment: string): number {
  return Date.parse(moment) / 1000;
}

function sum(numbers: number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
