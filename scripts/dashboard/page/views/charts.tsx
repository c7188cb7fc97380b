import { useMemo, useState } from "preact/hooks";
import { type RangeName, RANGES } from "../../ranges.ts";
import type { Statistic } from "../answers.ts";
import { clock, count, day, duration, milliseconds, short } from "../format.ts";
import { Chart, type Scale } from "../parts/chart.tsx";
import { Table } from "../parts/table.tsx";
import { courseOf, type Step } from "./course.ts";

const COUNTS: Scale = {
  format: short,
  exactly: count,
  marks: [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9].flatMap((n) => [n, 2 * n, 5 * n]),
};
const LATENCIES: Scale = {
  format: milliseconds,
  exactly: milliseconds,
  marks: [
    ...[1, 10, 100, 1_000].flatMap((n) => [n, 2 * n, 5 * n]),
    ...[10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 21_600].map((s) => s * 1_000),
    ...[0.5, 1, 2, 5, 10, 20, 50].map((days) => days * 86_400_000),
  ],
};

/** Of one type or all, over time; before anything is known of it, its room. */
export function Charts({ rows, range }: { rows: Statistic[] | null; range: RangeName }) {
  const { step } = RANGES[range];
  const steps = useMemo(() => courseOf(rows ?? [], RANGES[range]), [rows, range]);
  const times = useMemo(() => steps.map(({ at }) => at), [steps]);
  const isEmpty = rows?.length === 0;
  const per = `per ${duration(step).replace(/^1 /, "")}`;
  const line = (label: string, name: Exclude<keyof Step, "at">) => ({
    label,
    values: steps.map((one) => rows && one[name]),
  });
  const common = { times, step, isEmpty };
  return (
    <>
      <div class="charts">
        <Chart
          {...common}
          title="Throughput"
          says={per}
          scale={COUNTS}
          series={[
            line("completed", "completed"),
            line("claimed", "claimed"),
            line("enqueued", "enqueued"),
          ]}
        />
        <Chart
          {...common}
          title="Failures"
          says={per}
          scale={COUNTS}
          series={[line("attempts", "attempts_failed"), line("for good", "failed")]}
        />
        <Chart
          {...common}
          title="Wait"
          says="from due to claimed"
          scale={LATENCIES}
          series={[line("p50", "wait_p50_ms"), line("p99", "wait_p99_ms")]}
        />
        <Chart
          {...common}
          title="Run"
          says="from claimed to settled"
          scale={LATENCIES}
          series={[line("p50", "run_p50_ms"), line("p99", "run_p99_ms")]}
        />
      </div>
      <Numbers steps={steps} />
    </>
  );
}

/** The same for who cannot see charts, or wants it exactly: the newest first. */
function Numbers({ steps }: { steps: Step[] }) {
  const [isOpen, setOpen] = useState(false);
  const numbers = (head: string, value: (step: Step) => string) => ({
    head,
    isNumber: true,
    cell: value,
  });
  return (
    <details
      class="numbers"
      onToggle={(event) => setOpen((event.target as HTMLDetailsElement).open)}
    >
      <summary>The same in numbers</summary>
      {isOpen && (
        <Table
          label="The charts in numbers"
          rows={steps.toReversed()}
          empty=""
          columns={[
            { head: "From", cell: ({ at }) => <time>{day(at)} {clock(at)}</time> },
            numbers("Enqueued", (step) => count(step.enqueued)),
            numbers("Claimed", (step) => count(step.claimed)),
            numbers("Completed", (step) => count(step.completed)),
            numbers("Failed attempts", (step) => count(step.attempts_failed)),
            numbers("Failed", (step) => count(step.failed)),
            numbers("Wait p50", (step) => milliseconds(step.wait_p50_ms)),
            numbers("Wait p99", (step) => milliseconds(step.wait_p99_ms)),
            numbers("Run p50", (step) => milliseconds(step.run_p50_ms)),
            numbers("Run p99", (step) => milliseconds(step.run_p99_ms)),
          ]}
        />
      )}
    </details>
  );
}
