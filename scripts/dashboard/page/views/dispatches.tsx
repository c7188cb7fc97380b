import type { Dispatches as Answer } from "../answers.ts";
import { count, plural, words } from "../format.ts";
import { useLive } from "../live.ts";
import { Badge } from "../parts/badge.tsx";
import { Loaded, Page } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";

export function Dispatches() {
  const live = useLive<Answer>("dispatches");
  return (
    <Page title="Dispatches">
      <p class="quiet lead">Calls that start drains, Edge Functions that work off the backlog.</p>
      <Loaded live={live}>
        {({ dispatch, schedule, dispatches }) => (
          <>
            <ul class="tiles four">
              <li>
                <div class="tile">
                  <span>Calls this month</span>
                  <b>{count(dispatch.invocations)}</b>
                </div>
              </li>
              <li>
                <div class={`tile ${dispatch.invocations_left === 0 ? "bad" : ""}`}>
                  <span>Left in the budget</span>
                  <b>
                    {dispatch.invocations_left === null
                      ? "no limit"
                      : count(dispatch.invocations_left)}
                  </b>
                  {dispatch.invocations_left !== null && (
                    <Budget used={dispatch.invocations} left={dispatch.invocations_left} />
                  )}
                </div>
              </li>
              <li>
                <div class={`tile ${dispatch.failed > 0 ? "bad" : ""}`}>
                  <span>Failed in a row</span>
                  <b>{count(dispatch.failed)}</b>
                </div>
              </li>
              <li>
                <div class={`tile ${dispatch.rest_until ? "warn" : ""}`}>
                  <span>Rests</span>
                  <b>{dispatch.rest_until ? <Time at={dispatch.rest_until} /> : "no"}</b>
                </div>
              </li>
            </ul>
            {!schedule.net && (
              <p class="problem">
                The database cannot call anything: pg_net is not there. Workers of your own go on.
              </p>
            )}
            <Table
              label="Dispatches"
              rows={dispatches}
              empty="Nothing was dispatched yet."
              columns={[
                { head: "Made", width: "9rem", cell: ({ made_at }) => <Time at={made_at} /> },
                {
                  head: "State",
                  width: "8rem",
                  isCorner: true,
                  cell: ({ state }) => <Badge state={state} />,
                },
                { head: "Reason", cell: ({ reason }) => <span class="text">{words(reason)}</span> },
                {
                  head: "Drains",
                  width: "6rem",
                  isNumber: true,
                  cell: ({ drains }) => drains === null ? "–" : count(drains),
                },
                {
                  head: "Answered",
                  width: "9rem",
                  cell: ({ planned_at }) => <Time at={planned_at} />,
                },
                {
                  head: "Types or problem",
                  cell: ({ problem, types }) =>
                    problem
                      ? <span class="text bad cut" title={problem}>{problem}</span>
                      : <Types types={types} />,
                },
              ]}
            />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Budget({ used, left }: { used: number; left: number }) {
  const part = used / Math.max(1, used + left);
  return (
    <span class="progress" role="img" aria-label={`${Math.round(100 * part)} % used`}>
      <span
        class={part > 0.9 ? "bad" : part > 0.7 ? "warn" : "good"}
        style={{ width: `${100 * part}%` }}
      />
    </span>
  );
}

function Types({ types }: { types: string[] | null }) {
  if (types === null) return <span class="quiet">all types</span>;
  return (
    <span class="chips" title={plural(types.length, "type")}>
      {types.map((type) => <span class="chip text" key={type}>{type}</span>)}
    </span>
  );
}
