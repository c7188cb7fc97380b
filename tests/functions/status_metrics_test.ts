import assert from "node:assert/strict";
import type { Family } from "../../functions/_shared/prometheus.ts";
import type { Status } from "../../functions/_shared/schemas.ts";
import { metricsOf } from "../../functions/status/metrics.ts";

const NOW = "2026-11-27T10:00:00+00:00";

Deno.test("what the state says, the metrics say in base units", () => {
  const found = valuesOf(metricsOf(stateWith({})));
  assert.deepEqual(found, {
    'dibs_build_info{"database":"1.2.3","functions":"1.2.4"}': 1,
    'dibs_tasks{"status":"pending"}': 7,
    'dibs_tasks{"status":"failed"}': 2,
    "dibs_task_oldest_due_seconds": 12.5,
    "dibs_workers": 1,
    'dibs_leases_expired{"kind":"tasks"}': 3,
    'dibs_leases_expired{"kind":"claims"}': 6,
    "dibs_effects_parked": 9,
    'dibs_gates_paused{"kind":"tasks"}': 1,
    'dibs_gates_paused{"kind":"claims"}': 0,
    'dibs_claims{"source":"thoughts","work_type":"a","status":"claimed"}': 1,
    'dibs_claims{"source":"thoughts","work_type":"a","status":"succeeded"}': 2,
    'dibs_claims{"source":"thoughts","work_type":"a","status":"failed"}': 3,
    'dibs_claims{"source":"letters","work_type":"a","status":"claimed"}': 4,
    'dibs_claims{"source":"letters","work_type":"a","status":"succeeded"}': 5,
    'dibs_claims{"source":"letters","work_type":"a","status":"failed"}': 6,
    "dibs_dispatch_failed_in_a_row": 4,
    "dibs_dispatch_rest_until_timestamp_seconds": Date.parse(NOW) / 1000,
    "dibs_invocations_total": 1000,
    "dibs_invocations_left": 50,
    'dibs_schedule_next_tick_timestamp_seconds{"schedule":"nightly"}': Date.parse(NOW) / 1000,
    'dibs_schedule_paused{"schedule":"nightly"}': 0,
    'dibs_schedule_has_problem{"schedule":"nightly"}': 1,
  });
});

Deno.test("where nothing waits or rests it is 0, and where there is no limit there is no metric", () => {
  const dispatch = { failed: 0, rest_until: null, invocations: 0, invocations_left: null };
  const found = valuesOf(
    metricsOf(stateWith({ tasks: null, oldest_due_seconds: null, dispatch, schedules: [] })),
  );
  assert.equal(found.dibs_task_oldest_due_seconds, 0);
  assert.equal(found.dibs_dispatch_rest_until_timestamp_seconds, 0);
  assert.deepEqual(
    Object.keys(found).filter((name) => /^dibs_(tasks|schedule|invocations_left)/.test(name)),
    [],
  );
});

Deno.test("however many kinds of work there are, the largest have series of their own, and nothing is left out", () => {
  const thoughts = Array.from(
    { length: 250 },
    (_, n) => ({ work_type: `w${n}`, claimed: n, succeeded: 1, failed: 0, counted_at: null }),
  );
  const samples = samplesOf(metricsOf(stateWith({ thoughts, sources: [] })))
    .filter(({ name }) => name === "dibs_claims");
  assert.equal(samples.length, 3 * 101);
  const claimed = samples.filter(({ labels }) => labels!.status === "claimed");
  assert.equal(claimed.reduce((sum, { value }) => sum + value, 0), 249 * 250 / 2);
  assert.deepEqual(claimed[0].labels, { source: "thoughts", work_type: "w249", status: "claimed" });
  assert.deepEqual(claimed.at(-1)!.labels, {
    source: "other",
    work_type: "other",
    status: "claimed",
  });
});

function stateWith(changed: Partial<Status>): Status {
  return {
    version: { database: "1.2.3", functions: "1.2.4" },
    now: NOW,
    tasks: { pending: 7, failed: 2 },
    oldest_due_seconds: 12.5,
    gates: [{ paused_at: NOW }, { paused_at: null }],
    claim_gates: [],
    thoughts: [{ work_type: "a", claimed: 1, succeeded: 2, failed: 3, counted_at: null }],
    sources: [
      {
        source: "letters",
        work_type: "a",
        claimed: 4,
        succeeded: 5,
        failed: 6,
        expired: 2,
        counted_at: null,
      },
    ],
    workers: [{ worker_id: "secret-host", tasks: 1, thoughts: 0, lease_expires_at: NOW }],
    expired: { tasks: 3, thoughts: 4 },
    schedules: [
      { name: "nightly", paused: false, next_tick: NOW, last_tick: null, problem: "it fell" },
    ],
    parked_effects: 9,
    schedule: { cron: true, net: true },
    dispatch: { failed: 4, rest_until: NOW, invocations: 1000, invocations_left: 50 },
    dispatches: [],
    ...changed,
  };
}

/** By name and labels. */
function valuesOf(families: Family[]): Record<string, number> {
  return Object.fromEntries(
    samplesOf(families).map(({ name, labels, value }) => [
      `${name}${labels ? JSON.stringify(labels) : ""}`,
      value,
    ]),
  );
}

function samplesOf(families: Family[]) {
  return families.flatMap(({ name, type, samples }) =>
    type === "histogram" ? [] : samples.map((sample) => ({ name, ...sample }))
  );
}
