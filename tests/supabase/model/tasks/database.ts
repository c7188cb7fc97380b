import type { Row as SqlRow, Sql } from "postgres";
import { inOrder } from "../in_order.ts";
import type { Moments } from "../moments.ts";
import type { Answers, Calls, NewTask, Row, Verb, Where } from "./calls.ts";

/** The verbs as SQL. */
export class TasksDatabase implements VerbsInSql {
  constructor(private readonly sql: Sql, private readonly moments: Moments) {}

  async enqueue({ tasks, request }: Calls["enqueue"]) {
    const items = tasks.map((task) => ({ ...task, run_at: this.moments.date(task.run_at) }));
    return [
      ...await this.sql<Answers["enqueue"]>`
        select id, deduplicated from enqueue_tasks(${this.sql.json(items as never)}, ${request})`,
    ];
  }

  async create({ task, by }: Calls["create"]) {
    const [{ id }] = await (by === "insert" ? this.#insert(task) : this.sql`
      select create_task(${task.type}, '{}', ${task.priority}, ${this.moments.date(task.run_at)},
        ${task.max_attempts}, ${task.unique_key}) as id`);
    return id;
  }

  #insert({ type, priority, run_at, max_attempts, unique_key }: NewTask) {
    return this.sql`
      insert into tasks (type, payload, priority, run_at, max_attempts, unique_key)
      values (${type}, '{}', ${priority}, ${
      this.moments.date(run_at)
    }, ${max_attempts}, ${unique_key})
      returning id`;
  }

  claim({ worker, types, limit, seconds, request }: Calls["claim"]) {
    return this.#grant(this.sql`
      select id, type, attempt, max_attempts, fence, lease_expires_at, lease_ms
      from claim_tasks(${worker}, ${types}, ${limit}, ${seconds}, ${request})`);
  }

  claim_one() {
    return this.#grant(this.sql`
      select id, type, attempts as attempt, max_attempts, null as fence, lease_expires_at,
        date_part('epoch', lease_expires_at - started_at)::int * 1000 as lease_ms
      from claim_task()`);
  }

  async #grant(claim: PromiseLike<readonly SqlRow[]>) {
    const [rows, overdue] = await inOrder(() => claim, () => this.#overdue());
    const [{ fence, lease_expires_at, lease_ms }] = [...rows, NOTHING];
    const tasks = rows.map(({ id, type, attempt, max_attempts }) => ({
      id,
      type,
      attempt,
      max_attempts,
    }));
    return { fence, lease_expires_at: this.moments.of(lease_expires_at), lease_ms, tasks, overdue };
  }

  async #overdue(): Promise<boolean> {
    const [{ overdue }] = await this.sql`
      select exists (select from dibs.lease where expires_at < dibs.clock()) as overdue`;
    return overdue;
  }

  async renew({ fence, seconds, progress }: Calls["renew"]) {
    const reported = progress && { [progress.id]: progress.value };
    return ids(
      await this.sql`
        select id from renew_lease(${fence}, ${seconds}, ${this.sql.json(reported)}) id`,
    );
  }

  async settle({ fence, outcomes, rest, request }: Calls["settle"]) {
    const [{ settled, lost }] = await this.sql`
      select * from settle_lease(${fence}, ${
      this.sql.json(outcomes as never)
    }, ${rest}, ${request})`;
    return { settled, lost: lost.sort() };
  }

  async settle_and_claim(call: Calls["settle_and_claim"]) {
    const { fence, outcomes, rest, worker, types, limit, seconds, request } = call;
    const [[{ answer }], overdue] = await inOrder<[readonly SqlRow[], boolean]>(
      () =>
        this.sql`
          select settle_and_claim_tasks(${fence}, ${this.sql.json(outcomes as never)}, ${rest},
            ${worker}, ${types}, ${limit}, ${seconds}, ${request}) as answer`,
      () => this.#overdue(),
    );
    const lease_expires_at = this.moments.of(answer.lease_expires_at);
    const tasks = answer.tasks.map(({ payload: _, ...task }: object & { payload: unknown }) =>
      task
    );
    return { ...answer, lost: answer.lost.sort(), lease_expires_at, tasks, overdue };
  }

  async reap() {
    return count(await this.sql`select reap_tasks() as count`);
  }

  async release({ worker }: Calls["release"]) {
    return count(await this.sql`select release_tasks_for_worker(${worker}) as count`);
  }

  async cancel(call: Calls["cancel"]) {
    return ids(await this.sql`select cancel_tasks(${call.ids}::uuid[]) as id`);
  }

  async retry(call: Calls["retry"]) {
    return ids(await this.sql`select retry_tasks(${call.ids}::uuid[]) as id`);
  }

  async prune({ seconds }: Calls["prune"]) {
    return count(await this.sql`select prune_tasks(${seconds} * interval '1 s') as count`);
  }

  async history({ id }: Calls["history"]) {
    const rows = await this.sql<Answers["history"]>`
      select attempt, outcome, worker_id, started_at, ended_at, error from task_attempts(${id})`;
    return rows.map((row) => this.moments.inRow(row));
  }

  async update({ where, set }: Calls["update"]) {
    const changes = Object.fromEntries(
      Object.entries(set).map(([column, value]) =>
        column.endsWith("_at") ? [column, this.moments.date(value)] : [column, value]
      ),
    );
    const updated = await this.sql`
      update tasks set ${this.sql(changes)} where ${this.#matching(where)}`;
    return updated.count;
  }

  async delete({ where }: Calls["delete"]) {
    return (await this.sql`delete from tasks where ${this.#matching(where)}`).count;
  }

  #matching(where: Where) {
    return "id" in where ? this.sql`id = ${where.id}` : this.sql`status = ${where.status}`;
  }

  async look(): Promise<Row[]> {
    const rows = await this.sql<Row[]>`
      -- A backoff is no whole number of milliseconds; from the next one on the task is due.
      select id, type, status, started_at, completed_at, error, priority,
        run_at + interval '999 us' as run_at, attempts, max_attempts, unique_key, result, progress,
        worker_id, lease_expires_at
      from tasks order by id`;
    return rows.map((row) => this.moments.inRow(row));
  }

  async counts(): Promise<Record<string, number>> {
    const rows = await this.sql`select status, tasks from task_counts()`;
    return Object.fromEntries(rows.map(({ status, tasks }) => [status, Number(tasks)]));
  }
}

type VerbsInSql = { [V in Verb]: (call: Calls[V]) => Promise<Answers[V]> };

const NOTHING = { fence: null, lease_expires_at: null, lease_ms: 0 };

const ids = (rows: readonly SqlRow[]): string[] => rows.map(({ id }) => id).sort();

const count = ([{ count }]: readonly SqlRow[]): number => Number(count);
