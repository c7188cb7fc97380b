import type { Row, Sql } from "postgres";

/** A call that changes something where it is let in, and how to make it. */
export interface Route {
  name: string;
  /** Which of the tables of the matrix it belongs to. */
  group: string;
  method: string;
  path: string;
  headers?: Record<string, string>;
  /** A function makes a new one for each call. */
  body?: object | (() => object);
}

const ENDPOINTS = "functions/v1/{claim,renew,release,enqueue,drain,status}";
const DISPATCH = "functions/v1/dispatch";
const FUNCTIONS = "rest/v1/rpc/*";
const TABLES = "rest/v1/{tasks,thought_work_claims}";
const INTERNALS = "rest/v1/*, of the schema dibs";
const OTHER_METHODS = "functions/v1/*, by any other method";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** More than there are calls of one function. */
const ONCE_EACH = 100;

/** What the calls are about: made as role `postgres`, before anybody calls. */
export interface Subject {
  fence: string;
  task: string;
  thoughts: string[];
  /** For what can be done only once: a call takes the next one. */
  completable: Iterator<string>;
  inDoubt: Iterator<{ id: string; key: string }>;
}

export async function makeSubject(sql: Sql): Promise<Subject> {
  const thoughts = await sql`
    insert into thoughts (content) select 'thought ' || n from generate_series(1, 3) n returning id`;
  const [doubtful] = await hold(sql, "in doubt", 1);
  await sql`
    select effect_begin(${doubtful.fence}, ${doubtful.id}, n::text) from generate_series(1, ${ONCE_EACH}) n`;
  await sql`select settle_lease(${doubtful.fence}, p_rest => 'released')`;
  const [{ fence, id: task }, ...completable] = await hold(sql, "held", 1 + ONCE_EACH);
  await sql`select create_task('matrix') from generate_series(1, 50)`;
  return {
    fence,
    task,
    thoughts: thoughts.map(({ id }) => id),
    completable: completable.map(({ id }) => id).values(),
    inDoubt: completable.map((_, n) => ({ id: doubtful.id, key: `${n + 1}` })).values(),
  };
}

async function hold(sql: Sql, type: string, count: number): Promise<Row[]> {
  await sql`select create_task(${type}) from generate_series(1, ${count})`;
  return await sql`select fence, id from claim_tasks('owner', array[${type}], ${count})`;
}

/** Every route with every method it knows, and those it does not know. */
export function routesOf(subject: Subject): Route[] {
  const known = endpoints(subject);
  return [
    ...known,
    ...known.flatMap(otherMethods),
    ...functions(subject),
    ...tables(subject),
    ...internals(),
  ];
}

function endpoints({ fence }: Subject): Route[] {
  const bodies = {
    claim: { worker_id: "matrix", types: ["matrix"] },
    renew: { fence },
    release: { worker_id: "matrix" },
    enqueue: { tasks: [{ type: "matrix" }] },
    drain: { wait: true },
    dispatch: {},
    status: undefined,
  };
  return Object.entries(bodies).map(([name, body]) => ({
    name,
    group: name === "dispatch" ? DISPATCH : ENDPOINTS,
    method: body ? "POST" : "GET",
    path: `/functions/v1/${name}`,
    body,
  }));
}

function otherMethods({ name, method, path }: Route): Route[] {
  return METHODS.filter((other) => other !== method).map((other) => ({
    name: `${other} ${name}`,
    group: OTHER_METHODS,
    method: other,
    path,
  }));
}

/** With arguments that fit: a call that is refused for its arguments would say nothing of who called. */
function functions({ fence, task, thoughts, completable, inDoubt }: Subject): Route[] {
  const worker = { p_worker_id: "matrix" };
  const work = { p_work_type: "matrix" };
  const settled = { p_fence: "999999", p_outcomes: [], p_rest: "released" };
  const rows = { p_source: "thoughts" };
  const settledRows = { ...settled, p_fence: "thoughts:999999" };
  const held = { p_fence: fence, p_id: task };
  const effect = { ...held, p_key: "mail" };
  const calls: Record<string, object | (() => object)> = {
    claim_thoughts: { p_thought_ids: thoughts, ...work, ...worker },
    release_thought: { p_thought_id: thoughts[0], ...work, ...worker, p_status: "succeeded" },
    release_claims_for_worker: { ...work, ...worker },
    claim_named_thoughts: { ...work, ...worker, p_thought_ids: thoughts },
    claim_next_thoughts: { p_work_type: "matrix next", ...worker, p_limit: 1 },
    settle_and_claim_thoughts: { ...settled, ...work, ...worker, p_limit: 1 },
    retry_failed_thoughts: work,
    quarantined_thoughts: work,
    claim_rows: { ...rows, ...work, ...worker, p_ids: thoughts },
    claim_next_rows: { ...rows, p_work_type: "matrix next", ...worker },
    renew_rows: { p_fence: "thoughts:999999" },
    settle_rows: settledRows,
    settle_and_claim_rows: { ...settledRows, ...work, ...worker, p_limit: 1 },
    release_rows_for_worker: { ...rows, ...work, ...worker },
    failed_rows: { ...rows, ...work },
    retry_failed_rows: { ...rows, ...work },
    create_task: { p_type: "matrix" },
    enqueue_tasks: { p_tasks: [{ type: "matrix" }] },
    claim_task: {},
    claim_tasks: worker,
    settle_and_claim_tasks: { ...settled, ...worker, p_types: ["matrix"], p_limit: 1 },
    release_tasks_for_worker: worker,
    cancel_tasks: { p_ids: [] },
    retry_tasks: { p_ids: [] },
    reap_tasks: {},
    set_task_limit: { p_type: "matrix gate", p_limit: 1 },
    remove_task_limit: { p_type: "matrix gate" },
    set_task_rate: { p_type: "matrix gate", p_count: 1, p_period: "1 s" },
    remove_task_rate: { p_type: "matrix gate" },
    pause_tasks: { p_type: "matrix gate" },
    resume_tasks: { p_type: "matrix gate" },
    task_gates: {},
    task_retry_after: {},
    set_claim_limit: { p_source: "thoughts", p_work_type: "matrix gate", p_limit: 1 },
    remove_claim_limit: { p_source: "thoughts", p_work_type: "matrix gate" },
    set_claim_rate: {
      p_source: "thoughts",
      p_work_type: "matrix gate",
      p_count: 1,
      p_period: "1 s",
    },
    remove_claim_rate: { p_source: "thoughts", p_work_type: "matrix gate" },
    pause_claims: { p_source: "thoughts", p_work_type: "matrix gate" },
    resume_claims: { p_source: "thoughts", p_work_type: "matrix gate" },
    claim_gates: {},
    prune_tasks: { p_keep: "1 day" },
    set_retention: { p_type: "matrix", p_keep: "1 day" },
    remove_retention: { p_type: "matrix" },
    retention_rules: {},
    explain_task: { p_id: task },
    explain_claim: { p_source: "thoughts", p_id: thoughts[0], ...work },
    task_counts: {},
    task_attempts: { p_id: task },
    task_dependencies: { p_id: task },
    put_schedule: { p_name: "matrix", p_cron: "@yearly", p_type: "matrix" },
    pause_schedule: { p_name: "matrix" },
    resume_schedule: { p_name: "matrix" },
    run_schedule_now: { p_name: "matrix" },
    schedules: {},
    delete_schedule: { p_name: "no such" },
    cancel_tasks_where: { p_filter: { types: ["nothing"] } },
    retry_tasks_where: { p_filter: { types: ["nothing"] } },
    reprioritize_tasks_where: { p_filter: { types: ["nothing"] }, p_priority: 1 },
    failed_tasks: {},
    redrive_tasks: { p_filter: { types: ["nothing"] } },
    redrive_rows: { ...rows, ...work, p_filter: { statuses: ["failed"] } },
    renew_lease: { p_fence: fence },
    settle_lease: settled,
    assert_lease: held,
    complete_with_result: () => ({ p_fence: fence, p_id: completable.next().value }),
    was_completed: held,
    effect_begin: effect,
    effect_done: effect,
    parked_effects: {},
    settle_effect() {
      const { id, key } = inDoubt.next().value!;
      return { p_id: id, p_key: key, p_happened: true };
    },
    plan_dispatch: {},
    dibs_status: {},
    workers: {},
    dispatches: {},
    find_tasks: {},
    task_timeline: { p_id: task },
    claim_progress: {},
    task_statistics: {},
    task_totals: {},
  };
  return Object.entries(calls).map(([name, body]) => ({
    name,
    group: FUNCTIONS,
    method: "POST",
    path: `/rest/v1/rpc/${name}`,
    body,
  }));
}

function tables({ thoughts }: Subject): Route[] {
  const of = (table: string, row: object, filter: string, change: object) =>
    Object.entries({ GET: undefined, POST: row, PATCH: change, DELETE: undefined }).map((
      [method, body],
    ) => ({
      name: `${method} ${table}`,
      group: TABLES,
      method,
      path: `/rest/v1/${table}${method === "POST" ? "" : `?${filter}`}`,
      // The same claim twice is a conflict otherwise.
      headers: table === "tasks" ? undefined : { prefer: "resolution=merge-duplicates" },
      body,
    }));
  const claim = {
    thought_id: thoughts[0],
    work_type: "matrix rows",
    worker_id: "matrix",
    ttl_expires_at: "2100-01-01T00:00:00Z",
  };
  return [
    ...of("tasks", { type: "matrix row" }, "type=eq.matrix", { status: "completed" }),
    ...of("thought_work_claims", claim, "work_type=eq.matrix%20rows", { status: "failed" }),
  ];
}

function internals(): Route[] {
  return ["log", "lease", "settings"].map((table) => ({
    name: table,
    group: INTERNALS,
    method: "GET",
    path: `/rest/v1/${table}`,
    headers: { "accept-profile": "dibs" },
  }));
}
