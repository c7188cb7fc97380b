import type { Statistic } from "../answers.ts";
import { milliseconds, short } from "../format.ts";
import { Section } from "../parts/page.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { linkTo } from "../router.ts";
import { type Sums, totalsOf } from "./course.ts";

type Total = { type: string; sums: Sums };

/** What each type did in the time that the charts show. */
export function ByType({ rows, range }: { rows: Statistic[]; range: string }) {
  return (
    <Section
      title="By type"
      says="In the same time. p50: the mean of the medians; p99: the worst."
    >
      <Table
        label="By type"
        rows={totalsOf(rows)}
        empty="Nothing happened in this time."
        columns={[
          {
            head: "Type",
            cell: ({ type }) => <a class="text" href={linkTo([], { range, type })}>{type}</a>,
          },
          number("Enqueued", ({ enqueued }) => short(enqueued)),
          number("Completed", ({ completed }) => short(completed)),
          number("Failed attempts", (sums) => short(sums.attempts_failed)),
          {
            head: "Failed",
            isNumber: true,
            cell: ({ type, sums: { failed } }) =>
              failed === 0
                ? "0"
                : (
                  <a class="bad" href={linkTo(["tasks"], { status: "failed", type })}>
                    {short(failed)}
                  </a>
                ),
          },
          number("Wait p50 / p99", (sums) => both(sums.wait_p50_ms, sums.wait_p99_ms)),
          number("Run p50 / p99", (sums) => both(sums.run_p50_ms, sums.run_p99_ms)),
        ]}
      />
    </Section>
  );
}

function number(head: string, value: (sums: Sums) => string): Column<Total> {
  return { head, isNumber: true, cell: ({ sums }) => value(sums) };
}

function both(p50: number | null, p99: number | null): string {
  return p50 === null ? "–" : `${milliseconds(p50)} / ${milliseconds(p99)}`;
}
