import type { Row as SqlRow, Sql } from "postgres";
import type { Moments } from "../moments.ts";
import { TasksDatabase } from "../tasks/database.ts";
import type { Answers, Bulk, Calls, Everything, GateRow, Grant, Row, Verb } from "./calls.ts";

/** The verbs as SQL. */
export class GatesDatabase implements VerbsInSql {
  readonly #plain: TasksDatabase;

  constructor(private readonly sql: Sql, private readonly moments: Moments) {
    this.#plain = new TasksDatabase(sql, moments);
  }

  async enqueue({ tasks }: Calls["enqueue"]) {
    const items = tasks.map((task) => ({
      ...task,
      run_at: this.moments.date(task.run_at ?? null),
    }));
    return [
      ...await this.sql<Answers["enqueue"]>`
        select id, deduplicated, replaced from enqueue_tasks(${this.sql.json(items as never)})`,
    ];
  }

  claim(call: Calls["claim"]) {
    return this.#plain.claim({ ...call, request: null });
  }

  async drain(call: Calls["drain"]) {
    const grants: Grant[] = [];
    do grants.push(await this.claim(call)); while (grants.at(-1)!.fence && grants.length < 100);
    return grants;
  }

  settle(settlement: Calls["settle"]) {
    return this.#plain.settle({ ...settlement, request: null });
  }

  reap() {
    return this.#plain.reap();
  }

  release(call: Calls["release"]) {
    return this.#plain.release(call);
  }

  cancel(call: Calls["cancel"]) {
    return this.#plain.cancel(call);
  }

  retry(call: Calls["retry"]) {
    return this.#plain.retry(call);
  }

  cancel_where(bulk: Calls["cancel_where"]) {
    return this.#told(this.sql`select cancel_tasks_where(${this.#bulk(bulk)}) as answer`);
  }

  retry_where(bulk: Calls["retry_where"]) {
    return this.#told(this.sql`select retry_tasks_where(${this.#bulk(bulk)}) as answer`);
  }

  reprioritize_where(bulk: Calls["reprioritize_where"]) {
    return this.#told(
      this.sql`
        select reprioritize_tasks_where(${
        this.#bulk(bulk)
      }, p_priority => ${bulk.priority}) as answer`,
    );
  }

  #bulk({ filter, dry_run, limit }: Bulk) {
    return this.sql`
      p_filter => ${this.sql.json(filter as never)}, p_dry_run => ${dry_run}, p_limit => ${limit}`;
  }

  async #told(call: PromiseLike<readonly SqlRow[]>) {
    const [{ answer }] = await call;
    return { ...answer, sample: answer.sample.sort() };
  }

  async set_limit({ type, key, each_key, limit }: Calls["set_limit"]) {
    await this.sql`select set_task_limit(${type}, ${limit}, ${key}, ${each_key})`;
    return null;
  }

  async remove_limit({ type, key, each_key }: Calls["remove_limit"]) {
    const [{ removed }] = await this.sql`
      select remove_task_limit(${type}, ${key}, ${each_key}) as removed`;
    return removed;
  }

  async pause({ type, key }: Calls["pause"]) {
    const [{ held }] = await this.sql`select pause_tasks(${type}, ${key}) as held`;
    return Number(held);
  }

  async resume({ type, key }: Calls["resume"]) {
    const [{ resumed }] = await this.sql`select resume_tasks(${type}, ${key}) as resumed`;
    return resumed;
  }

  async look(): Promise<Everything> {
    const [tasks, gates] = await Promise.all([
      this.sql<Row[]>`
        -- A backoff is no whole number of milliseconds; from the next one on the task is due.
        select id, type, status, started_at, completed_at, error, priority,
          run_at + interval '999 us' as run_at, attempts, max_attempts, unique_key, result, progress,
          worker_id, lease_expires_at, payload, key, order_key
        from tasks order by id`,
      this.sql<GateRow[]>`
        select type, scope, key, max_running, paused_at, running::int from task_gates()`,
    ]);
    return {
      tasks: tasks.map((row) => this.moments.inRow(row)),
      gates: gates.map((row) => this.moments.inRow(row)),
    };
  }
}

type VerbsInSql = { [V in Verb]: (call: Calls[V]) => Promise<Answers[V]> };
