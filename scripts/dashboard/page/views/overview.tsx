import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { RANGE_NAMES, type RangeName } from "../../ranges.ts";
import type { FoundTask, Overview as Answer, Statistic } from "../answers.ts";
import { count, distance, plural, roughly, short } from "../format.ts";
import { type Live, useLive } from "../live.ts";
import { Choice } from "../parts/choice.tsx";
import { Loaded, Page, Section, Trouble } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";
import { goTo, linkTo, type Route } from "../router.ts";
import { Charts } from "./charts.tsx";
import { ByType } from "./by_type.tsx";

/** What changes slowly need not be asked for often. */
const STATISTICS_EVERY_MS = { "15min": 5_000, "1h": 10_000, "24h": 60_000, "7d": 60_000 };

export function Overview({ query }: Route) {
  const range = RANGE_NAMES.find((name) => name === query.range) ?? "1h";
  const live = useLive<Answer>("overview");
  const statistics = useLive<Statistic[]>("statistics", { range }, {
    everyMs: STATISTICS_EVERY_MS[range],
  });
  const failures = useLive<FoundTask[]>("tasks", {
    filter: JSON.stringify({ statuses: ["failed"] }),
    limit: "10",
  });
  return (
    <Page title="Overview">
      <Loaded live={live}>
        {({ project, status }) => (
          <>
            <div class="where">
              <span class="quiet">{project} · Dibs {status.version.database}</span>
              <Notices status={status} />
            </div>
            <Tiles status={status} />
            <Course live={statistics} range={range} type={query.type ?? ""} />
            <Loaded live={failures} isPart>
              {(rows) => (
                <>
                  <Failures rows={rows} />
                  {statistics.data && <ByType rows={statistics.data} range={range} />}
                </>
              )}
            </Loaded>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Tiles({ status }: { status: Answer["status"] }) {
  const counts = status.tasks;
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
      <Tile name="Completed" link={linkTo(["tasks"], { status: "completed" })}>
        {short(counts?.completed)}
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

/** How it went, of all types or one, as far back as is wished. */
function Course({ live, range, type }: {
  live: Live<Statistic[]>;
  range: RangeName;
  type: string;
}) {
  const { data } = live;
  const types = [...new Set([type, ...data?.map((row) => row.type) ?? []])].filter(Boolean).sort();
  const rows = useMemo(() => data?.filter((row) => !type || row.type === type), [data, type]);
  return (
    <>
      <div class="bar">
        <select
          aria-label="Charts of"
          value={type}
          onChange={(event) => goTo(linkTo([], { range, type: event.currentTarget.value }))}
        >
          <option value="">All types</option>
          {types.map((name) => <option value={name} key={name}>{name}</option>)}
        </select>
        <Choice
          label="How far back"
          options={RANGE_NAMES.map((name) => ({
            name: name.replace(/\d+/, "$& "),
            link: linkTo([], { range: name, type }),
            isChosen: name === range,
          }))}
        />
      </div>
      {live.error && live.data === null
        ? <Trouble error={live.error} isShown={false} />
        : (
          <div class={live.isOld ? "old" : undefined} aria-busy={live.isOld || data === null}>
            <Charts rows={rows ?? null} range={range} />
          </div>
        )}
    </>
  );
}

/** What an operator looks for first when something is wrong. */
function Failures({ rows }: { rows: FoundTask[] }) {
  return (
    <Section
      title="Latest failures"
      actions={<a href={linkTo(["tasks"], { status: "failed" })}>All that failed</a>}
    >
      <Table
        label="Latest failures"
        rows={rows.filter((row) => row.id !== null)}
        empty="Nothing has failed for good."
        columns={[
          {
            head: "Type",
            width: "14rem",
            cell: ({ id, type }) => <a class="text" href={linkTo(["tasks", id])}>{type}</a>,
          },
          {
            head: "Attempts",
            width: "6rem",
            isNumber: true,
            cell: ({ attempts, max_attempts }) => (
              <>
                {attempts} <span class="quiet">/ {max_attempts}</span>
              </>
            ),
          },
          { head: "Failed", width: "9rem", cell: ({ completed_at }) => <Time at={completed_at} /> },
          {
            head: "Error",
            cell: ({ error }) => (
              <span class="text cut wide bad" title={error ?? ""}>{error ?? "–"}</span>
            ),
          },
        ]}
      />
    </Section>
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
      `${plural(status.parked_effects, "effect")} in doubt`,
      linkTo(["effects"]),
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
