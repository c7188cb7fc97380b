import { useEffect, useRef } from "preact/hooks";
import { act } from "../api.ts";
import { type FoundTask, STATUSES, type TaskRow } from "../answers.ts";
import { count, plural } from "../format.ts";
import { useLive } from "../live.ts";
import { ask } from "../parts/ask.tsx";
import { Badge } from "../parts/badge.tsx";
import { Choice } from "../parts/choice.tsx";
import { Loaded, Page } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";
import { goTo, linkTo, type Route } from "../router.ts";
import { filterOf, TASK_ID } from "./task_filter.ts";

const ON_A_PAGE = 50;

export function Tasks({ query }: Route) {
  const filter = filterOf(query);
  const isPointedAt = useRef(false);
  const live = useLive<FoundTask[]>("tasks", {
    filter: JSON.stringify(filter),
    limit: String(ON_A_PAGE),
    ...query.before && { before: query.before },
  }, { isHeld: () => isPointedAt.current });
  const hold = (is: boolean) => () => isPointedAt.current = is;
  return (
    <Page title="Tasks" actions={<Many query={query} />}>
      <Statuses query={query} />
      <Filters query={query} />
      <div
        onMouseEnter={hold(true)}
        onMouseLeave={hold(false)}
        onFocusIn={hold(true)}
        onFocusOut={hold(false)}
      >
        <Loaded live={live}>{(rows) => <Found rows={rows} query={query} />}</Loaded>
      </div>
    </Page>
  );
}

function Statuses({ query: { before: _, ...query } }: { query: Record<string, string> }) {
  const options = ["", ...STATUSES].map((status) => ({
    name: status || "all",
    link: linkTo(["tasks"], { ...query, status }),
    isChosen: (query.status ?? "") === status,
  }));
  return <Choice label="Status" options={options} />;
}

const FIELDS: Record<string, { label: string; hint: string; pattern?: string }> = {
  type: { label: "Type", hint: "send_email" },
  error: { label: "Error has", hint: "timeout" },
  key: { label: "Key", hint: "tenant-4" },
  payload: { label: "Payload has", hint: '{"tenant": 4}' },
  id: { label: "Id", hint: "of a task", pattern: TASK_ID.source },
};

function Filters({ query }: { query: Record<string, string> }) {
  const form = useRef<HTMLFormElement>(null);
  const apply = (event: Event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const given = Object.fromEntries(new FormData(form)) as Record<string, string>;
    // The browser lets no other id through.
    goTo(
      given.id
        ? linkTo(["tasks", given.id])
        : linkTo(["tasks"], { ...given, status: query.status }),
    );
  };
  // Set, not made anew, so that who pressed Enter stays in the field.
  useEffect(() => {
    for (const input of form.current!.querySelectorAll("input")) {
      input.value = query[input.name] ?? "";
    }
  }, [JSON.stringify(query)]);
  return (
    <form class="filters" onSubmit={apply} role="search" ref={form}>
      {Object.entries(FIELDS).map(([name, { label, hint, pattern }]) => (
        <label key={name}>
          <span>{label}</span>
          <input
            name={name}
            placeholder={hint}
            pattern={pattern}
            title={pattern && "The whole id of a task, 36 characters"}
            autoComplete="off"
            spellcheck={false}
          />
        </label>
      ))}
      <div class="buttons">
        <button type="submit">Find</button>
        <a class="button" href={linkTo(["tasks"], { status: query.status })}>Clear</a>
      </div>
    </form>
  );
}

function Found({ rows, query }: { rows: FoundTask[]; query: Record<string, string> }) {
  const tasks = rows.filter((row) => row.id !== null);
  const last = rows.at(-1);
  const isMore = rows.length === ON_A_PAGE || last?.id === null;
  return (
    <>
      <Table
        label="Tasks"
        rows={tasks}
        empty={isMore
          ? "None of those looked at so far fits."
          : query.before
          ? "No more tasks fit."
          : "No task fits."}
        columns={[
          {
            head: "Type",
            width: "11rem",
            cell: ({ id, type, key }) => (
              <>
                <a class="text" href={linkTo(["tasks", id])}>{type}</a>
                {key && <span class="below quiet small text" title="Key">{key}</span>}
              </>
            ),
          },
          {
            head: "Status",
            width: "7.5rem",
            isCorner: true,
            cell: ({ status }) => <Badge state={status} />,
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
          { head: "Enqueued", width: "9rem", cell: ({ created_at }) => <Time at={created_at} /> },
          { head: "When", width: "9rem", cell: (task) => <When {...task} /> },
          {
            head: "Error or worker",
            cell: ({ error, worker_id }) =>
              error
                ? <span class="text cut bad" title={error}>{error}</span>
                : <span class="text cut quiet">{worker_id ?? "–"}</span>,
          },
        ]}
      />
      <div class="pages">
        {query.before && (
          <a class="button" href={linkTo(["tasks"], { ...query, before: "" })}>Newest</a>
        )}
        {isMore && (
          <a class="button" href={linkTo(["tasks"], { ...query, before: last!.cursor })}>
            {last!.id === null ? "Look further back" : "Older"}
          </a>
        )}
      </div>
    </>
  );
}

/** What it last did, or is about to. */
function When({ status, completed_at, started_at, run_at }: TaskRow) {
  const [word, at] = completed_at
    ? ["ended", completed_at]
    : status === "processing"
    ? ["began", started_at]
    : ["due", run_at];
  return (
    <>
      <span class="unseen">{word}</span> <Time at={at} />
    </>
  );
}

/** What can be done to all that fit; how many that are is asked first. */
function Many({ query }: { query: Record<string, string> }) {
  const filter = filterOf(query);
  if (query.status === "failed") {
    return <button type="button" onClick={() => redriveAll(filter)}>Redrive all …</button>;
  }
  if (query.status === "pending" || query.status === "processing") {
    return (
      <button type="button" class="danger" onClick={() => cancelAll(filter)}>Cancel all …</button>
    );
  }
  return null;
}

async function redriveAll(filter: Record<string, unknown>) {
  const would = await act("redrive_tasks", { filter, dry_run: true }).catch(() => null) as
    | { tasks: number; more: boolean }
    | null;
  ask({
    title: `Redrive ${would ? plural(would.tasks, "failed task") : "failed tasks"}?`,
    says: (
      <>
        They wait again with all their attempts anew, and their history says “redriven”.
        {would?.more && ` These are the ${count(would.tasks)} of one call; there are more.`}
      </>
    ),
    fields: [{
      name: "per_second",
      label: "So many a second",
      hint: "Left empty: all are due at once.",
      isNumber: true,
    }],
    verb: "Redrive them",
    async run({ per_second }) {
      const done = await act("redrive_tasks", {
        filter,
        per_second: per_second ? Number(per_second) : null,
        dry_run: false,
      }) as { tasks: number };
      return `${plural(done.tasks, "task")} redriven.`;
    },
  });
}

async function cancelAll(filter: Record<string, unknown>) {
  const would = await act("cancel_tasks_where", { filter, dry_run: true }).catch(() => null) as
    | { tasks: number; more: boolean }
    | null;
  ask({
    title: `Cancel ${would ? plural(would.tasks, "task") : "tasks"}?`,
    says: (
      <>
        They end as cancelled. What a worker is at is taken from it; it learns so at its next
        heartbeat.{would?.more &&
          ` These are the ${count(would.tasks)} of one call; there are more.`}
      </>
    ),
    verb: "Cancel them",
    isDangerous: true,
    async run() {
      const done = await act("cancel_tasks_where", { filter, dry_run: false }) as { tasks: number };
      return `${plural(done.tasks, "task")} cancelled.`;
    },
  });
}
