import { act } from "../api.ts";
import type { ClaimProgress, FailedRow } from "../answers.ts";
import { count, duration, plural, short } from "../format.ts";
import { useLive } from "../live.ts";
import { ask } from "../parts/ask.tsx";
import { Loaded, Page, Section } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";
import { linkTo, type Route } from "../router.ts";

export function Claims({ query: { source, work_type } }: Route) {
  return source && work_type ? <Failed source={source} workType={work_type} /> : <Progress />;
}

function Progress() {
  const live = useLive<ClaimProgress[]>("claims");
  return (
    <Page title="Claims">
      <p class="quiet lead">
        How far the rows of each source are, per kind of work. Totals of large tables are estimates.
      </p>
      <Loaded live={live}>
        {(claims) =>
          claims.length === 0
            ? <p class="empty">No row of any source was claimed yet.</p>
            : (
              <div class="grid">
                {claims.map((one) => <Pool key={`${one.source}:${one.work_type}`} {...one} />)}
              </div>
            )}
      </Loaded>
    </Page>
  );
}

function Pool(
  { source, work_type, total, claimed, succeeded, failed, unclaimed, per_minute, seconds_left }:
    ClaimProgress,
) {
  const parts = [
    ["succeeded", "good", succeeded],
    ["claimed", "busy", claimed],
    ["failed", "bad", failed],
    ["unclaimed", "idle", unclaimed],
  ] as const;
  const whole = Math.max(total, succeeded + claimed + failed, 1);
  const done = 100 * (succeeded + failed) / whole;
  return (
    <Section
      title={<span class="text">{work_type}</span>}
      says={
        <>
          of <span class="text">{source}</span>
        </>
      }
    >
      <p class="percent">
        <b>{done < 99.95 && done > 99 ? done.toFixed(1) : Math.floor(done)} %</b>
        <span>{count(succeeded + failed)} of {count(total)}</span>
      </p>
      <div
        class="progress"
        role="img"
        aria-label={parts.map(([name, , value]) => `${count(value)} ${name}`).join(", ")}
      >
        {parts.map(([name, tone, value]) => (
          <span key={name} class={tone} style={{ width: `${100 * value / whole}%` }} />
        ))}
      </div>
      <ul class="legend">
        {parts.map(([name, tone, value]) => (
          <li key={name}>
            <span class={`swatch ${tone}`} aria-hidden="true" />
            {name === "failed" && failed > 0
              ? (
                <a class="bad" href={linkTo(["claims"], { source, work_type })}>
                  failed <b>{short(value)}</b>
                </a>
              )
              : (
                <>
                  {name} <b>{short(value)}</b>
                </>
              )}
          </li>
        ))}
      </ul>
      <p class="left">
        <span>
          {seconds_left === null ? timeUnknown(unclaimed) : (
            <>
              About <b>{duration(seconds_left)}</b> left
            </>
          )}
        </span>
        {per_minute !== null && <span class="quiet">{short(per_minute)} a minute</span>}
      </p>
    </Section>
  );
}

function timeUnknown(unclaimed: number): string {
  return unclaimed === 0 ? "Nothing is left" : "How long it takes cannot be told yet";
}

function Failed({ source, workType }: { source: string; workType: string }) {
  const live = useLive<FailedRow[]>("failed_rows", { source, work_type: workType });
  return (
    <Page
      title={
        <>
          Failed: <span class="text">{workType}</span>
        </>
      }
      actions={
        <button type="button" class="primary" onClick={() => redrive(source, workType)}>
          Redrive all …
        </button>
      }
    >
      <p class="quiet lead">
        Rows of <span class="text">{source}</span>, the latest failure first.{" "}
        <a href={linkTo(["claims"])}>All claims</a>
      </p>
      <Loaded live={live}>
        {(rows) => (
          <Table
            label="Failed rows"
            rows={rows}
            empty="No row failed for good."
            columns={[
              { head: "Row", cell: ({ id }) => <span class="mono text">{id}</span> },
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
              { head: "Failed", width: "9rem", cell: ({ failed_at }) => <Time at={failed_at} /> },
              {
                head: "Worker",
                cell: ({ worker_id }) => <span class="text">{worker_id ?? "–"}</span>,
              },
              {
                head: "Error",
                cell: ({ error }) => (
                  <span class="text bad cut" title={error ?? ""}>{error ?? "–"}</span>
                ),
              },
              {
                head: "",
                width: "7rem",
                isNumber: true,
                cell: ({ id }) => (
                  <button
                    type="button"
                    aria-label={`Redrive ${id}`}
                    onClick={() => redrive(source, workType, id)}
                  >
                    Redrive
                  </button>
                ),
              },
            ]}
          />
        )}
      </Loaded>
    </Page>
  );
}

async function redrive(source: string, work_type: string, id?: string): Promise<void> {
  const body = { source, work_type, filter: id ? { ids: [id] } : { statuses: ["failed"] } };
  const would = await act("redrive_rows", { ...body, dry_run: true }).catch(() => null) as
    | { rows: number }
    | null;
  ask({
    title: id ? "Redrive this row?" : `Redrive ${would ? plural(would.rows, "row") : "all rows"}?`,
    says: "They can be claimed again, as if never tried.",
    fields: id ? [] : [{
      name: "per_second",
      label: "So many a second",
      hint: "Left empty: all can be claimed at once.",
      isNumber: true,
    }],
    verb: "Redrive",
    async run({ per_second }) {
      const done = await act("redrive_rows", {
        ...body,
        per_second: per_second ? Number(per_second) : null,
        dry_run: false,
      }) as { rows: number };
      return `${plural(done.rows, "row")} redriven.`;
    },
  });
}
