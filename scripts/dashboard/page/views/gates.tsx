import { act } from "../api.ts";
import type { ClaimGate, TaskGate } from "../answers.ts";
import { count, duration, interval } from "../format.ts";
import { useLive } from "../live.ts";
import { ask } from "../parts/ask.tsx";
import { Badge } from "../parts/badge.tsx";
import { Loaded, Page, Section } from "../parts/page.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";

type Gate = TaskGate | ClaimGate;

export function Gates() {
  const live = useLive<{ tasks: TaskGate[]; claims: ClaimGate[] }>("gates");
  return (
    <Page
      title="Gates"
      actions={
        <>
          <button type="button" onClick={pauseType}>Pause a type …</button>
          <button type="button" class="danger" onClick={pauseEverything}>Pause everything …</button>
        </>
      }
    >
      <p class="quiet lead">Limits, rates and pauses that hold now.</p>
      <Loaded live={live}>
        {({ tasks, claims }) => (
          <>
            <Section title="Tasks">
              <Table
                label="Gates of tasks"
                rows={tasks}
                empty="Nothing is limited or paused: every task is claimed as soon as it is due."
                columns={[
                  {
                    head: "What",
                    width: "13rem",
                    cell: (gate) => <b class="text">{nameOf(gate)}</b>,
                  },
                  ...columnsOf<TaskGate>(toggleTasks),
                ]}
              />
            </Section>
            <Section title="Claims">
              <Table
                label="Gates of claims"
                rows={claims}
                empty="Nothing is limited or paused."
                columns={[
                  {
                    head: "What",
                    width: "13rem",
                    cell: (gate) => <b class="text">{nameOf(gate)}</b>,
                  },
                  ...columnsOf<ClaimGate>(toggleClaims),
                ]}
              />
            </Section>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function columnsOf<G extends Gate>(toggle: (gate: G) => void): Column<G>[] {
  return [
    {
      head: "Key",
      width: "7rem",
      cell: ({ scope, key }) => (
        <span class="text">{scope === "each key" ? "each" : key ?? "–"}</span>
      ),
    },
    {
      head: "Running",
      width: "9rem",
      cell: ({ running, max_running }) => <Running running={running} most={max_running} />,
    },
    {
      head: "Rate",
      width: "12rem",
      cell: ({ rate, period, burst }) =>
        rate === null ? <span class="quiet">–</span> : (
          <>
            {count(rate)} per {interval(period ?? "").replace(/^1 /, "")}
            {burst !== null && burst !== rate && <span class="quiet">, burst {count(burst)}</span>}
          </>
        ),
    },
    {
      head: "Next",
      width: "5.5rem",
      cell: ({ retry_after_seconds }) =>
        retry_after_seconds ? `in ${duration(retry_after_seconds)}` : <span class="quiet">–</span>,
    },
    {
      head: "Paused",
      width: "10.5rem",
      cell: ({ paused_at }) =>
        paused_at
          ? (
            <span class="beside">
              <Badge state="paused" /> <Time at={paused_at} />
            </span>
          )
          : <span class="quiet">–</span>,
    },
    {
      head: "",
      width: "7rem",
      isNumber: true,
      cell: (gate) =>
        gate.scope === "each key" ? null : (
          <button
            type="button"
            aria-label={`${verbOf(gate)} ${keyedNameOf(gate)}`}
            onClick={() => toggle(gate)}
          >
            {verbOf(gate)}
          </button>
        ),
    },
  ];
}

function Running({ running, most }: { running: number | null; most: number | null }) {
  if (most === null) return <>{count(running)}</>;
  if (running === null) return <>{count(most)} of each</>;
  const part = Math.min(1, running / most);
  return (
    <span class="running">
      {count(running)} <span class="quiet">of {count(most)}</span>
      <span class="progress" aria-hidden="true">
        <span class={part === 1 ? "warn" : "busy"} style={{ width: `${100 * part}%` }} />
      </span>
    </span>
  );
}

function verbOf({ paused_at }: Gate): string {
  return paused_at ? "Resume" : "Pause";
}

function nameOf(gate: Gate): string {
  if ("source" in gate) return [gate.source, gate.work_type].filter(Boolean).join(" / ");
  return gate.type ?? "everything";
}

function keyedNameOf(gate: Gate): string {
  return [nameOf(gate), gate.key].filter(Boolean).join(" / ");
}

function toggleTasks(gate: TaskGate): void {
  const { type, key, paused_at } = gate;
  if (paused_at) askToResume(keyedNameOf(gate), "resume_tasks", { type, key });
  else askToPause(keyedNameOf(gate), "pause_tasks", { type, key });
}

function toggleClaims(gate: ClaimGate): void {
  const { source, work_type, key, paused_at } = gate;
  const what = { source, work_type, key };
  if (paused_at) askToResume(keyedNameOf(gate), "resume_claims", what);
  else askToPause(keyedNameOf(gate), "pause_claims", what);
}

function askToPause(name: string, action: string, gate: Record<string, unknown>): void {
  ask({
    title: `Pause ${name}?`,
    says: "Nothing of it is claimed any more. What runs goes on, and what is enqueued waits.",
    verb: "Pause it",
    run: async () => `Paused. Workers still hold ${count(await act(action, gate) as number)}.`,
  });
}

function askToResume(name: string, action: string, gate: Record<string, unknown>): void {
  ask({
    title: `Resume ${name}?`,
    says: "What waits is claimed again, as far as limits and rates allow.",
    verb: "Resume it",
    run: async () => await act(action, gate) ? "Resumed." : "It was not paused.",
  });
}

function pauseType(): void {
  ask({
    title: "Pause a type",
    says: "Nothing of it is claimed any more. What runs goes on, and what is enqueued waits.",
    fields: [
      { name: "type", label: "Type", required: true },
      { name: "key", label: "Key", hint: "Left empty: all of the type." },
    ],
    verb: "Pause it",
    run: async ({ type, key }) =>
      `Paused. Workers still hold ${
        count(await act("pause_tasks", { type, key: key || null }) as number)
      }.`,
  });
}

function pauseEverything(): void {
  ask({
    title: "Pause everything?",
    says: "No task of any type is claimed until you resume. What runs goes on.",
    verb: "Pause everything",
    isDangerous: true,
    run: async () => `Paused. Workers still hold ${count(await act("pause_tasks", {}) as number)}.`,
  });
}
