import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import postgres, { type Sql } from "postgres";

export interface ConnectionOptions {
  /** How it is to be known in pg_stat_activity; faults spare `chaos`. */
  name: "chaos" | "worker";
  role?: "service_role";
  /** So many at once. */
  max?: number;
}

/** What a new connection costs the server is more than most calls do. */
const RECONNECT_MS = 400;
/** Far more than anything takes; the driver keeps a zero, which were no limit, to itself. */
export const STATEMENT_MS = 3_600_000;
/** An answer that nobody waits for any more may still come, so long, and the connection is well. */
const LATE_MS = 3_000;

/**
 * A connection to PostgreSQL that outlives it: with the first failure that is not an answer of the
 * server's it is thrown away, and the next call gets a new one. A query on one that broke may never settle.
 */
export class Connection {
  #sql: Sql | null = null;
  #droppedAt = -Infinity;

  constructor(private readonly url: string, private readonly options: ConnectionOptions) {}

  /** Rejects when the work has not settled in time. */
  async run<T>(work: (sql: Sql) => PromiseLike<T>, signal: AbortSignal): Promise<T> {
    if (!this.#sql) await delay(this.#droppedAt + RECONNECT_MS - performance.now(), { signal });
    signal.throwIfAborted();
    const sql = this.#sql ??= this.#open();
    const working = Promise.resolve(work(sql)).catch((error) => {
      if (!isAnswer(error)) this.#drop(sql);
      throw error;
    });
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = () => {
      reject(signal.reason);
      deadline(working, LATE_MS).catch((error) => isAnswer(error) || this.#drop(sql));
    };
    signal.addEventListener("abort", abort, { once: true });
    return await Promise.race([working, promise]).finally(() =>
      signal.removeEventListener("abort", abort)
    );
  }

  async close(): Promise<void> {
    await this.#sql?.end({ timeout: 1 });
  }

  #drop(sql: Sql): void {
    if (this.#sql !== sql) return;
    this.#sql = null;
    this.#droppedAt = performance.now();
    void sql.end({ timeout: 0 }).catch(() => {});
  }

  #open(): Sql {
    const { name, role, max = 1 } = this.options;
    return postgres(this.url, {
      max,
      onnotice: () => {},
      connect_timeout: 5,
      connection: { application_name: name, statement_timeout: STATEMENT_MS, ...role && { role } },
    });
  }
}

/** Runs work on a connection of its own. */
export async function connected<T>(
  url: string,
  work: (sql: Sql) => PromiseLike<T>,
  ms: number,
): Promise<T> {
  const connection = new Connection(url, { name: "chaos" });
  return await connection.run(work, AbortSignal.timeout(ms)).finally(() => connection.close());
}

/** The server says so and goes on; that it is shutting down is no such thing. */
function isAnswer(error: unknown): boolean {
  return error instanceof postgres.PostgresError && !/^(57P|08)/.test(error.code);
}
