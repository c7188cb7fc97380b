import type { Sql } from "postgres";
import { type Caller, connect, drainByCalls } from "../calls.ts";
import type { Contender, Payload } from "../contender.ts";

/** PgQ, ticked after every enqueueing so that no consumer waits for a ticker. */
export const pgq: Contender = {
  name: "pgq",
  // Workers that share a consumer would each get every event.
  keeps: "a place in a log: one worker whatever W is, and a crash repeats up to 1,000 tasks",
  batches: true,
  priorities: false,
  delays: false,
  types: true,
  async missing({ superuser }) {
    const [found] = await superuser`select from pg_available_extensions where name = 'pgq'`;
    if (found) return null;
    return "this PostgreSQL has no extension pgq: install it (Debian: postgresql-<version>-pgq3) " +
      "and give that PostgreSQL's programs with --postgres";
  },
  async install({ superuser }) {
    await superuser`create extension pgq`;
    await superuser`grant pgq_admin, pgq_reader, pgq_writer to postgres`;
    await superuser`select pgq.create_queue('bench')`;
    await superuser`select pgq.set_queue_config('bench', 'ticker_max_count', '1')`;
    // PgQ counts events from the second one on: let the first be none of the bench's.
    await superuser`select pgq.insert_event('bench', 'first', '')`;
    await superuser`select pgq.ticker('bench')`;
    await superuser`select pgq.register_consumer('bench', 'worker')`;
  },
  async open(database) {
    const sql = await connect(database);
    return {
      async enqueue(tasks) {
        const events = tasks.map(({ type = "bench", payload }) => ({ type, payload }));
        await sql`
          select pgq.insert_event('bench', event ->> 'type', event ->> 'payload')
          from jsonb_array_elements(${sql.json(events as never)}) event`;
        await sql`select pgq.ticker('bench')`;
      },
      async drain(options) {
        const sql = await connect(database);
        await drainByCalls([newCaller(sql, options.batch)], options);
        await sql.end();
      },
      async left() {
        const [{ left }] = await sql`
          select pending_events::int + (select count(*)::int from pgq.retry_queue) as left
          from pgq.get_consumer_info('bench', 'worker')`;
        return left;
      },
      [Symbol.asyncDispose]: () => sql.end(),
    };
  },
};

interface Event {
  ev_id: string;
  ev_data: string;
}

/** Reads what lies between two ticks through a cursor, and finishes it as a whole. */
function newCaller(sql: Sql, size: number): Caller {
  let batch: string | null = null;
  return { next, finish };

  async function next(): Promise<Payload[]> {
    while (batch !== null || await beginBatch()) {
      const events = await fetchEvents(String(size));
      if (events.length > 0) return events.map(({ ev_data }) => JSON.parse(ev_data));
      await finishBatch();
    }
    return [];
  }

  /** What was not executed is left to be retried. */
  async function finish(): Promise<void> {
    if (batch === null) return;
    for (const { ev_id } of await fetchEvents("all")) {
      await sql`select pgq.event_retry(${batch}, ${ev_id}::bigint, 0)`;
    }
    await finishBatch();
  }

  async function beginBatch(): Promise<boolean> {
    await sql`begin`;
    [{ batch }] = await sql`select pgq.next_batch('bench', 'worker') as batch`;
    if (batch === null) await sql`commit`;
    else await sql`select from pgq.get_batch_cursor(${batch}, 'events', 0)`;
    return batch !== null;
  }

  async function fetchEvents(count: string): Promise<Event[]> {
    return await sql.unsafe<Event[]>(`fetch ${count} from events`, [], { prepare: true });
  }

  async function finishBatch(): Promise<void> {
    await sql`select pgq.finish_batch(${batch})`;
    await sql`commit`;
    batch = null;
  }
}
