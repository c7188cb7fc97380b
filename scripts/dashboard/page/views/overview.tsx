import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import type { Overview as Answer, Statistic } from "../answers.ts";
import { count, distance, milliseconds, plural, roughly, short } from "../format.ts";
import { useLive } from "../live.ts";
import { Chart } from "../parts/chart.tsx";
import { Choice } from "../parts/choice.tsx";
import { Loaded, Page, Section } from "../parts/page.tsx";
import { Spark } from "../parts/spark.tsx";
import { Table } from "../parts/table.tsx";
import { goTo, linkTo, type Route } from "../router.ts";
import { courseOf, latelyDone, type Span, totalsOf, type TypeTotals } from "./overview_numbers.ts";

const SPANS: Record<string, Span & { name: string }> = {
  "15 minutes": { name: "15 min", seconds: 900, step: 60 },
  "1 hour": { name: "1 h", seconds: 3_600, step: 60 },
  "6 hours": { name: "6 h", seconds: 21_600, step: 300 },
  "1 day": { name: "1 day", seconds: 86_400, step: 900 },
  "7 days": { name: "7 days", seconds: 604_800, step: 7_200 },
};

export function Overview({ query: { since: wished = "", type } }: Route) {
  const since = wished in SPANS ? wished : "1 hour";
  const live = useLive<Answer>("overview");
  const statistics = useLive<Statistic[]>("statistics", { since });
  return (
    <Page title="Overview" actions={<Spans since={since} type={type} />}>
      <Loaded live={live}>
        {({ project, status }) => (
          <>
            <div class="where">
              <span class="quiet">{project} · Dibs {status.version.database}</span>
              <Notices status={status} />
            </div>
            <Tiles status={status} rows={statistics.data} span={SPANS[since]} />
            <Loaded live={statistics}>
              {(rows) => <Charts rows={rows} since={since} type={type} />}
            </Loaded>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Spans({ since, type }: { since: string; type?: string }) {
  const options = Object.entries(SPANS).map(([span, { name }]) => ({
    name,
    link: linkTo([], { since: span, type }),
    isChosen: span === since,
  }));
  return <Choice label="How far back" options={options} />;
}

function Tiles({ status, rows, span }: {
  status: Answer["status"];
  rows: Statistic[] | null;
  span: Span;
}) {
  const counts = status.tasks;
  const doneLately = useMemo(() => rows && latelyDone(rows, span), [rows, span]);
  return (
    <ul class="tiles">
      <Tile name="Waiting" link={linkTo(["tasks"], { status: "pending" })}>
        {short(counts?.pending)}
      </Tile>
      <Tile
        name="Oldest due"
        tone={(status.oldest_due_seconds ?? 0) > 300 ? "warn" : undefined}
        link={linkTo(["tasks"], { status: "pending" })}
      >
        {status.oldest_due_seconds === null ? "none" : roughly(status.oldest_due_seconds)}
      </Tile>
      <Tile name="In flight" link={linkTo(["tasks"], { status: "processing" })}>
        {short(counts?.processing)}
      </Tile>
      <Tile name="Done a minute" link={linkTo(["tasks"], { status: "completed" })}>
        {short(doneLately)}
      </Tile>
      <Tile
        name="Failed"
        tone={counts?.failed ? "bad" : undefined}
        link={linkTo(["tasks"], { status: "failed" })}
      >
        {short(counts?.failed)}
      </Tile>
      <Tile name="Workers" link={linkTo(["workers"])}>{count(status.workers.length)}</Tile>
    </ul>
  );
}

function Charts({ rows, since, type }: { rows: Statistic[]; since: string; type?: string }) {
  const span = SPANS[since];
  const course = useMemo(
    () => courseOf(type ? rows.filter((row) => row.type === type) : rows, span),
    [rows, type, span],
  );
  const totals = useMemo(() => totalsOf(rows, span), [rows, span]);
  const line = (label: string, colour: string, values: (number | null)[]) => ({
    label,
    colour,
    values,
  });
  const ofTypes = type ? undefined : "p50: mean of the types; p99: the worst of them";
  return (
    <>
      {type && (
        <p class="chosen">
          Charts of <b class="text">{type}</b> <a href={linkTo([], { since })}>show all types</a>
        </p>
      )}
      <div class="charts">
        <Chart
          title="Throughput"
          says="tasks a minute"
          times={course.times}
          format={short}
          series={[
            line("completed", "good", course.completed),
            line("enqueued", "info", course.enqueued),
          ]}
        />
        <Chart
          title="Failures"
          says="a minute"
          times={course.times}
          format={short}
          series={[
            line("attempts", "warn", course.attemptsFailed),
            line("for good", "bad", course.failed),
          ]}
        />
        <Chart
          title="Wait"
          says="from due to claimed"
          times={course.times}
          format={milliseconds}
          series={[
            line("p99", "violet", course.waitP99),
            line("p50", "info", course.waitP50),
          ]}
        />
        <Chart
          title="Run"
          says="from claimed to settled"
          times={course.times}
          format={milliseconds}
          series={[line("p99", "violet", course.runP99), line("p50", "info", course.runP50)]}
        />
      </div>
      <Section title="By type" says={ofTypes && `Charts of all types: ${ofTypes}.`}>
        <Types totals={totals} since={since} />
      </Section>
    </>
  );
}

function Tile({ name, tone, link, children }: {
  name: string;
  tone?: string;
  link: string;
  children: ComponentChildren;
}) {
  return (
    <li>
      <a href={link} class={`tile ${tone ?? ""}`}>
        <span>{name}</span>
        <b>{children}</b>
      </a>
    </li>
  );
}

/** What somebody should know at once; nothing when all is as usual. */
function Notices({ status }: { status: Answer["status"] }) {
  const expired = Object.values(status.expired).reduce((total, value) => total + value, 0);
  const paused = status.gates.filter(({ paused_at }) => paused_at);
  const troubled = status.schedules.filter(({ problem }) => problem);
  const notices: [boolean, string, string][] = [
    [!status.schedule.cron, "Nothing ticks: pg_cron is not there", linkTo(["doctor"])],
    [
      paused.length > 0,
      paused.some(({ scope }) => scope === "everything")
        ? "Everything is paused"
        : `Paused: ${
          paused.map(({ type, key }) => [type, key].filter(Boolean).join(" / ")).join(", ")
        }`,
      linkTo(["gates"]),
    ],
    [
      expired > 0,
      `${plural(expired, "lease")} expired, to be taken back with the next tick`,
      linkTo(["workers"]),
    ],
    [
      status.parked_effects > 0,
      `${plural(status.parked_effects, "effect")} of which nobody knows whether they happened`,
      linkTo(["doctor"]),
    ],
    [
      status.dispatch.rest_until !== null,
      `Dispatch rests${
        status.dispatch.rest_until
          ? `, goes on ${distance(status.dispatch.rest_until, Date.now())}`
          : ""
      }`,
      linkTo(["dispatches"]),
    ],
    [
      troubled.length > 0,
      `Could not enqueue: ${troubled.map(({ name }) => name).join(", ")}`,
      linkTo(["schedules"]),
    ],
  ];
  const shown = notices.filter(([isSo]) => isSo);
  if (shown.length === 0) return null;
  return (
    <ul class="notices" aria-label="To know">
      {shown.map(([, text, link]) => (
        <li key={link}>
          <a href={link} class="text" title={text}>{text}</a>
        </li>
      ))}
    </ul>
  );
}

function Types({ totals, since }: { totals: TypeTotals[]; since: string }) {
  const both = (p50: number | null, p99: number | null) => (
    <>
      {milliseconds(p50)} <span class="quiet">/ {milliseconds(p99)}</span>
    </>
  );
  return (
    <Table
      label="By type"
      rows={totals}
      empty={
        <>
          Nothing happened in this time.{" "}
          <button type="button" class="link" onClick={() => goTo(linkTo([], { since: "7 days" }))}>
            Look back 7 days
          </button>
        </>
      }
      columns={[
        {
          head: "Type",
          cell: ({ type }) => <a class="text" href={linkTo([], { since, type })}>{type}</a>,
        },
        {
          head: "Course",
          width: "7rem",
          cell: ({ completedCourse }) => <Spark values={completedCourse} colour="good" />,
        },
        { head: "Enqueued", isNumber: true, cell: ({ enqueued }) => short(enqueued) },
        { head: "Completed", isNumber: true, cell: ({ completed }) => short(completed) },
        {
          head: "Failed attempts",
          isNumber: true,
          cell: ({ attemptsFailed }) => short(attemptsFailed),
        },
        {
          head: "Failed",
          isNumber: true,
          cell: ({ type, failed }) =>
            failed > 0
              ? (
                <a class="bad" href={linkTo(["tasks"], { status: "failed", type })}>
                  {short(failed)}
                </a>
              )
              : "0",
        },
        {
          head: "Wait p50 / p99",
          isNumber: true,
          cell: ({ waitP50, waitP99 }) => both(waitP50, waitP99),
        },
        {
          head: "Run p50 / p99",
          isNumber: true,
          cell: ({ runP50, runP99 }) => both(runP50, runP99),
        },
      ]}
    />
  );
}
