import type { ComponentChildren } from "preact";
import { act } from "../api.ts";
import type { WholeTask } from "../answers.ts";
import { words } from "../format.ts";
import { useLive } from "../live.ts";
import { ask } from "../parts/ask.tsx";
import { Badge } from "../parts/badge.tsx";
import { Copy } from "../parts/copy.tsx";
import { Json } from "../parts/json.tsx";
import { Loaded, Page, Section } from "../parts/page.tsx";
import { Table } from "../parts/table.tsx";
import { Countdown, Time } from "../parts/time.tsx";
import { linkTo, type Route } from "../router.ts";
import { Timeline } from "./timeline.tsx";

type Known = NonNullable<WholeTask["task"]>;

export function Task({ path: [, id] }: Route) {
  const live = useLive<WholeTask>("task", { id });
  const task = live.data?.task;
  return (
    <Page
      title={task ? <span class="text">{task.type}</span> : "Task"}
      actions={task && <Actions task={task} />}
    >
      <Loaded live={live}>
        {(whole) =>
          whole.task ? <Shown {...whole} task={whole.task} /> : (
            <p class="empty">
              No task has the id{" "}
              <code class="text">{id}</code>. It may have been deleted, or its retention was over.
            </p>
          )}
      </Loaded>
    </Page>
  );
}

function Shown({ task, explanation, timeline, dependencies }: WholeTask & { task: Known }) {
  return (
    <div class="columns">
      <div>
        <Section title="Why">
          <p class="why">
            <Badge state={task.status} />{" "}
            {explanation.reason !== task.status && <b>{words(explanation.reason)}</b>}
            {explanation.until && (
              <span class="quiet">
                until <Time at={explanation.until} />
              </span>
            )}
          </p>
          {task.error && (
            <pre class="json bad" tabIndex={0} role="region" aria-label="Error">{task.error}</pre>
          )}
          {explanation.what_would_change_it && (
            <p class="mend text">{explanation.what_would_change_it}</p>
          )}
        </Section>
        <Section title="Life">
          <Timeline events={timeline} />
        </Section>
      </div>
      <div>
        <Section title="Facts">
          <Facts task={task} />
        </Section>
        <Section title="Payload">
          <Json label="Payload" value={task.payload} />
        </Section>
        {task.progress !== null && (
          <Section title="Progress">
            <Json label="Progress" value={task.progress} />
          </Section>
        )}
        {task.result !== null && (
          <Section title="Result">
            <Json label="Result" value={task.result} />
          </Section>
        )}
        {dependencies.length > 0 && (
          <Section title="Depends on">
            <Table
              label="Depends on"
              rows={dependencies}
              empty=""
              columns={[
                {
                  head: "Task",
                  cell: ({ id }) => (
                    <a class="mono" href={linkTo(["tasks", id])}>{id.slice(-12)}</a>
                  ),
                },
                { head: "Status", cell: ({ status }) => <Badge state={status} /> },
                { head: "", cell: ({ awaited }) => awaited ? "is awaited" : "" },
              ]}
            />
          </Section>
        )}
      </div>
    </div>
  );
}

function Facts({ task }: { task: Known }) {
  const { status, worker_id, key, order_key, unique_key, lease_expires_at } = task;
  return (
    <dl class="facts">
      <Fact name="Id">
        <code>{task.id}</code> <Copy text={task.id} what="the id" />
      </Fact>
      <Fact name="Type">
        <a href={linkTo(["tasks"], { type: task.type })}>{task.type}</a>
      </Fact>
      <Fact name="Attempts">{task.attempts} of {task.max_attempts}</Fact>
      <Fact name="Enqueued">
        <Time at={task.created_at} />
      </Fact>
      <Fact name={status === "pending" ? "Due" : "Was due"}>
        <Time at={task.run_at} />
      </Fact>
      {task.started_at && (
        <Fact name="Began">
          <Time at={task.started_at} />
        </Fact>
      )}
      {task.completed_at && (
        <Fact name="Ended">
          <Time at={task.completed_at} />
        </Fact>
      )}
      {worker_id && (
        <Fact name="Worker">
          {status === "processing" ? <a href={linkTo(["workers"])}>{worker_id}</a> : worker_id}
        </Fact>
      )}
      {status === "processing" && lease_expires_at && (
        <Fact name="Lease ends">
          <Countdown at={lease_expires_at} />
        </Fact>
      )}
      <Fact name="Priority">{task.priority}</Fact>
      {key && (
        <Fact name="Key">
          <a href={linkTo(["tasks"], { key })}>{key}</a>
        </Fact>
      )}
      {order_key && <Fact name="Order key">{order_key}</Fact>}
      {unique_key && <Fact name="Unique key">{unique_key}</Fact>}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="text">{children}</dd>
    </div>
  );
}

function Actions({ task }: { task: Known }) {
  const { id, status } = task;
  if (status === "completed") return null;
  if (status === "pending" || status === "processing") {
    const cancel = () =>
      ask({
        title: "Cancel this task?",
        says: status === "processing"
          ? "It is taken from its worker, which learns so at its next heartbeat and whose report is refused."
          : "It ends as cancelled and is not worked on. It can be retried.",
        verb: "Cancel it",
        isDangerous: true,
        run: () => outcome("cancel_tasks", id, "cancelled", "It had ended already."),
      });
    return <button type="button" class="danger" onClick={cancel}>Cancel …</button>;
  }
  const retry = () =>
    ask({
      title: "Retry this task?",
      says: "It is due now, with all its attempts anew. Its history stays.",
      verb: "Retry it",
      run: () =>
        outcome(
          "retry_tasks",
          id,
          "due again",
          "It runs already, or another task has its unique key.",
        ),
    });
  const redrive = () =>
    ask({
      title: "Redrive this task?",
      says: "It is due now, with all its attempts anew; its history stays and says “redriven”.",
      fields: [{
        name: "type",
        label: "As another type",
        hint: "Left empty: as the type it is.",
      }],
      verb: "Redrive it",
      async run({ type }) {
        const done = await act("redrive_tasks", {
          filter: { ids: [id] },
          type: type || null,
          dry_run: false,
        }) as { tasks: number };
        return done.tasks > 0
          ? "The task was redriven."
          : "It does not wait for a redrive any more.";
      },
    });
  return (
    <>
      <button type="button" onClick={retry}>Retry …</button>
      {status === "failed" && (
        <button type="button" class="primary" onClick={redrive}>Redrive …</button>
      )}
    </>
  );
}

async function outcome(name: string, id: string, done: string, instead: string): Promise<string> {
  const ids = await act(name, { ids: [id] }) as string[];
  return ids.length > 0 ? `The task is ${done}.` : instead;
}
