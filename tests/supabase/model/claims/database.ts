import type { Row as SqlRow, Sql } from "postgres";
import { inOrder } from "../in_order.ts";
import type { Moments } from "../moments.ts";
import type { Answers, Calls, Everything, GateRow, Row, Verb } from "./calls.ts";

/** The verbs as SQL. */
export class ClaimsDatabase implements VerbsInSql {
  constructor(private readonly sql: Sql, private readonly moments: Moments) {}

  async claim({ ids, work, worker, seconds }: Calls["claim"]) {
    const rows = await this.sql`
      select id from claim_thoughts(${ids}::uuid[], ${work}, ${worker}, ${seconds}) id`;
    return rows.map(({ id }) => id).sort();
  }

  async claim_named(call: Calls["claim_named"]) {
    const { work, worker, ids, seconds, max_attempts, request } = call;
    return this.#grant(
      await this.sql`
        select * from claim_named_thoughts(
          ${work}, ${worker}, ${ids}::uuid[], ${seconds}, ${max_attempts}, ${request})`,
    );
  }

  async claim_next(call: Calls["claim_next"]) {
    const { work, worker, limit, seconds, max_attempts, request } = call;
    const claim = this.#afterRest(this.sql`
      select * from claim_next_thoughts(
        ${work}, ${worker}, ${limit}, ${seconds}, ${max_attempts}, ${request})`);
    return this.#grant(await claim);
  }

  /** Where the machine stood still during a search, claims find nothing new for a while. Not here. */
  async #afterRest<T>(claim: PromiseLike<T>): Promise<T> {
    const [, granted] = await inOrder(
      () => this.sql`update dibs.thought_pass set debt = '0' where debt > '0'`,
      () => claim,
    );
    return granted;
  }

  #grant(rows: readonly SqlRow[]) {
    const [{ fence, lease_expires_at, lease_ms }] = [...rows, NOTHING];
    const thoughts = rows.map(({ thought_id, attempt, content, metadata }) => ({
      id: thought_id,
      attempt,
      content,
      metadata,
    }));
    return { fence, lease_expires_at: this.moments.of(lease_expires_at), lease_ms, thoughts };
  }

  async renew({ fence, seconds }: Calls["renew"]) {
    const rows = await this.sql`select id from renew_lease(${fence}, ${seconds}) id`;
    return rows.map(({ id }) => id).sort();
  }

  async settle({ fence, outcomes, rest, request }: Calls["settle"]) {
    const [{ settled, lost }] = await this.sql`
      select * from settle_lease(${fence}, ${
      this.sql.json(outcomes as never)
    }, ${rest}, ${request})`;
    return { settled, lost: lost.sort() };
  }

  async settle_and_claim(call: Calls["settle_and_claim"]) {
    const { fence, outcomes, rest, work, worker, limit, seconds, max_attempts, request } = call;
    const [{ answer }] = await this.#afterRest(this.sql`
      select settle_and_claim_thoughts(${fence}, ${this.sql.json(outcomes as never)}, ${rest},
        ${work}, ${worker}, ${limit}, ${seconds}, ${max_attempts}, ${request}) as answer`);
    const lease_expires_at = this.moments.of(answer.lease_expires_at);
    return { ...answer, lost: answer.lost.sort(), lease_expires_at };
  }

  async release({ id, work, worker, status, error }: Calls["release"]) {
    const [{ released }] = await this.sql`
      select release_thought(${id}, ${work}, ${worker}, ${status}, ${error}) as released`;
    return released;
  }

  async release_all({ work, worker }: Calls["release_all"]) {
    return count(await this.sql`select release_claims_for_worker(${work}, ${worker}) as count`);
  }

  async reap({ work }: Calls["reap"]) {
    return count(await this.sql`select dibs.reap_thoughts(${work}) as count`);
  }

  async retry({ work, ids }: Calls["retry"]) {
    return count(await this.sql`select retry_failed_thoughts(${work}, ${ids}::uuid[]) as count`);
  }

  async quarantined({ work }: Calls["quarantined"]) {
    const rows = await this.sql<Answers["quarantined"]>`
      select thought_id, attempt_count, last_error, finished_at from quarantined_thoughts(${work})`;
    return rows.map((row) => this.moments.inRow(row));
  }

  async set_limit({ work, limit }: Calls["set_limit"]) {
    await this.sql`select set_claim_limit('thoughts', ${work}, ${limit})`;
    return null;
  }

  async remove_limit({ work }: Calls["remove_limit"]) {
    const [{ removed }] = await this
      .sql`select remove_claim_limit('thoughts', ${work}) as removed`;
    return removed;
  }

  async pause({ work }: Calls["pause"]) {
    return count(await this.sql`select pause_claims('thoughts', ${work}) as count`);
  }

  async resume({ work }: Calls["resume"]) {
    const [{ resumed }] = await this.sql`select resume_claims('thoughts', ${work}) as resumed`;
    return resumed;
  }

  async insert_thought({ content }: Calls["insert_thought"]) {
    const [{ id }] = await this
      .sql`insert into thoughts (content) values (${content}) returning id`;
    return id;
  }

  async edit_thought({ id, content }: Calls["edit_thought"]) {
    return (await this.sql`update thoughts set content = ${content} where id = ${id}`).count;
  }

  async delete_thought({ id }: Calls["delete_thought"]) {
    return (await this.sql`delete from thoughts where id = ${id}`).count;
  }

  async insert_claim({ id, work, worker, seconds }: Calls["insert_claim"]) {
    const inserted = await this.sql`
      insert into thought_work_claims (thought_id, work_type, worker_id, claimed_at, ttl_expires_at)
      select ${id}, ${work}, ${worker}, now, now + ${seconds} * interval '1 s' from dibs.clock() now`;
    return inserted.count;
  }

  async delete_claims({ work, statuses }: Calls["delete_claims"]) {
    const deleted = await this.sql`
      delete from thought_work_claims where work_type = ${work} and status = any (${statuses})`;
    return deleted.count;
  }

  async look(): Promise<Everything> {
    const [thoughts, claims, gates] = await Promise.all([
      this.sql<Everything["thoughts"]>`select id, content, metadata from thoughts order by id`,
      this.sql<Row[]>`
        -- A backoff is no whole number of milliseconds; from the next one on it is over.
        select thought_id, work_type, worker_id, claimed_at, ttl_expires_at, status, attempt_count,
          last_error, fence, finished_at, max_attempts, retry_at + interval '999 us' as retry_at
        from thought_work_claims order by thought_id, work_type`,
      this.sql<GateRow[]>`
        select work_type, max_running, paused_at, running::int from claim_gates()`,
    ]);
    return {
      thoughts: [...thoughts],
      claims: claims.map((row) => this.moments.inRow(row)),
      gates: gates.map((row) => this.moments.inRow(row)),
    };
  }
}

type VerbsInSql = { [V in Verb]: (call: Calls[V]) => Promise<Answers[V]> };

const NOTHING = { fence: null, lease_expires_at: null, lease_ms: 0 };

const count = ([{ count }]: readonly SqlRow[]): number => Number(count);
