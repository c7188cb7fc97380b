import postgres, { type Sql } from "postgres";

export interface ConnectionOptions {
  /** How it is to be known in pg_stat_activity; faults spare `chaos`. */
  name: "chaos" | "worker";
  role?: "service_role";
  /** So many at once. */
  max?: number;
}

/**
 * A connection to PostgreSQL that outlives it: with the first failure that is not an answer of the
 * server's it is thrown away, and the next call gets a new one. A query on one that broke may never settle.
 */
export class Connection {
  #sql: Sql | null = null;

  constructor(private readonly url: string, private readonly options: ConnectionOptions) {}

  /** Rejects when the work has not settled in time. */
  async run<T>(work: (sql: Sql) => PromiseLike<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const sql = this.#sql ??= this.#open();
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([work(sql), promise]);
    } catch (error) {
      if (!isAnswer(error)) this.#drop(sql);
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async close(): Promise<void> {
    await this.#sql?.end({ timeout: 1 });
  }

  #drop(sql: Sql): void {
    if (this.#sql === sql) this.#sql = null;
    void sql.end({ timeout: 0 }).catch(() => {});
  }

  #open(): Sql {
    const { name, role, max = 1 } = this.options;
    return postgres(this.url, {
      max,
      onnotice: () => {},
      connect_timeout: 5,
      connection: { application_name: name, statement_timeout: 0, ...role && { role } },
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
