import type { Backlog as Row } from "../answers.ts";
import { count } from "../format.ts";
import { useLive } from "../live.ts";
import { Loaded, Page } from "../parts/page.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";
import { linkTo, type Route } from "../router.ts";

/** What waits and what runs: by type, or, of one type, by key. */
export function Backlog({ query: { type } }: Route) {
  return type ? <ByKey type={type} /> : <ByType />;
}

function ByType() {
  const live = useLive<Row[]>("backlog");
  return (
    <Page title="Backlog">
      <p class="quiet lead">
        What waits and what runs, by type. Of a long backlog the first 10,000 entries are counted.
      </p>
      <Loaded live={live}>
        {(rows) => (
          <Table
            label="Backlog by type"
            rows={rows}
            empty="Nothing waits, and nothing runs."
            columns={[
              {
                head: "Type",
                cell: ({ type }) => <a class="text" href={linkTo(["backlog"], { type })}>{type}</a>,
              },
              ...FIGURES,
            ]}
          />
        )}
      </Loaded>
    </Page>
  );
}

function ByKey({ type }: { type: string }) {
  const live = useLive<Row[]>("backlog", { type });
  return (
    <Page
      title={
        <>
          Backlog: <span class="text">{type}</span>
        </>
      }
      actions={<a class="button" href={linkTo(["tasks"], { type })}>Its tasks</a>}
    >
      <p class="quiet lead">
        By key. <a href={linkTo(["backlog"])}>All types</a>
      </p>
      <Loaded live={live}>
        {(rows) => (
          <Table
            label="Backlog by key"
            rows={rows}
            empty="Nothing of this type waits, and nothing runs."
            columns={[
              {
                head: "Key",
                cell: ({ key }) =>
                  key === null
                    ? <span class="quiet">none</span>
                    : <a class="text" href={linkTo(["tasks"], { type, key })}>{key}</a>,
              },
              ...FIGURES,
            ]}
          />
        )}
      </Loaded>
    </Page>
  );
}

const FIGURES: Column<Row>[] = [
  {
    head: "Due",
    width: "8rem",
    isNumber: true,
    cell: ({ due, more }) => <b>{atLeast(due, more)}</b>,
  },
  {
    head: "Oldest due",
    width: "11rem",
    isNumber: true,
    cell: ({ oldest_due_at }) => <Time at={oldest_due_at} />,
  },
  {
    head: "Later",
    width: "8rem",
    isNumber: true,
    cell: ({ later, more }) => atLeast(later, more),
  },
  { head: "Running", width: "8rem", isNumber: true, cell: ({ running }) => count(running) },
];

function atLeast(value: number, more: boolean): string {
  return `${count(value)}${more ? "+" : ""}`;
}
