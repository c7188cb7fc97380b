import { act } from "../api.ts";
import type { Worker } from "../answers.ts";
import { plural } from "../format.ts";
import { useLive } from "../live.ts";
import { ask } from "../parts/ask.tsx";
import { Loaded, Page } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Countdown, Time } from "../parts/time.tsx";

export function Workers() {
  const live = useLive<Worker[]>("workers");
  return (
    <Page title="Workers">
      <p class="quiet lead">Who holds what now, the first lease to end first.</p>
      <Loaded live={live}>
        {(workers) => (
          <Table
            label="Workers"
            rows={workers}
            empty="Nobody holds anything. A worker that waits for work holds nothing and is not listed."
            columns={[
              { head: "Worker", cell: ({ worker_id }) => <b class="text">{worker_id}</b> },
              {
                head: "Works on",
                cell: ({ works_on }) => (
                  <span class="chips">
                    {works_on?.map((type) => <span class="chip text" key={type}>{type}</span>)}
                  </span>
                ),
              },
              { head: "Holds", width: "9rem", cell: ({ tasks, rows }) => holdings(tasks, rows) },
              { head: "Since", width: "9rem", cell: ({ since }) => <Time at={since} /> },
              {
                head: "Lease ends",
                width: "11rem",
                cell: ({ lease_expires_at }) => <Countdown at={lease_expires_at} />,
              },
              {
                head: "",
                width: "7rem",
                isNumber: true,
                cell: (worker) => (
                  <button
                    type="button"
                    aria-label={`Release ${worker.worker_id}`}
                    onClick={() => release(worker)}
                  >
                    Release
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

function holdings(tasks: number, rows: number): string {
  return [tasks && plural(tasks, "task"), rows && plural(rows, "row")].filter(Boolean).join(", ");
}

function release({ worker_id, tasks, rows }: Worker): void {
  ask({
    title: "Release this worker?",
    says: (
      <>
        <p>
          All that <b class="text">{worker_id}</b> holds,{" "}
          {holdings(tasks, rows)}, is handed back. Others get it at once, and no attempt is burned.
        </p>
        <p>
          If it still works, what it reports is refused as lost. So do this to one that is gone.
        </p>
      </>
    ),
    verb: "Release it",
    isDangerous: true,
    async run() {
      const done = await act("release_worker", { worker_id }) as { tasks: number; rows: number };
      return `Handed back: ${plural(done.tasks, "task")}, ${plural(done.rows, "row")}.`;
    },
  });
}
